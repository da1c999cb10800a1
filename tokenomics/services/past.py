"""Keeping what was when, of what others know only as it is now: devices and cost centres."""

from datetime import UTC, datetime
from typing import Final

from django.db import connection, transaction

ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""What is there when we look for the first time may have been there before."""

_LOCK: Final = "LOCK TABLE tokenomics_devicespan, tokenomics_teamcostcentre IN EXCLUSIVE MODE"
_END: Final = """
UPDATE tokenomics_devicespan span SET until = greatest(
    span.since, least(coalesce(device.state_changed_at, %(now)s), %(now)s)
)
FROM inventory_device device
WHERE device.id = span.device_id AND span.until IS NULL AND device.state <> span.state
"""
# The first time that we look at all, everything may have been there before.
_BEGIN: Final = """
INSERT INTO tokenomics_devicespan (device_id, state, since)
SELECT device.id, device.state, coalesce(
    (SELECT max(until) FROM tokenomics_devicespan ended WHERE ended.device_id = device.id),
    CASE WHEN EXISTS (SELECT FROM tokenomics_devicespan) THEN %(now)s
    ELSE least(coalesce(device.state_changed_at, %(always)s), %(now)s) END
)
FROM inventory_device device
WHERE NOT EXISTS (
    SELECT FROM tokenomics_devicespan span WHERE span.device_id = device.id AND span.until IS NULL
)
ORDER BY device.id
"""
# Before its state changed for the first time that we know of, a device was in service.
_BEFORE: Final = """
INSERT INTO tokenomics_devicespan (device_id, state, since, until)
SELECT device_id, 'in_service', %(always)s, since FROM tokenomics_devicespan first
WHERE since > %(always)s
"""
_TEAMS: Final = """
INSERT INTO tokenomics_teamcostcentre (team_id, cost_centre, since)
SELECT team.id, team.cost_centre,
    CASE WHEN latest.cost_centre IS NULL THEN %(always)s ELSE %(now)s END
FROM accounts_team team
LEFT JOIN LATERAL (
    SELECT cost_centre FROM tokenomics_teamcostcentre known WHERE known.team_id = team.id
    ORDER BY since DESC LIMIT 1
) latest ON true
WHERE latest.cost_centre IS DISTINCT FROM team.cost_centre
ON CONFLICT (team_id, since) DO UPDATE SET cost_centre = excluded.cost_centre
"""


def follow(*, now: datetime) -> None:
    """Write down which devices and teams changed since the last look; twice changes nothing."""
    known = {"now": now, "always": ALWAYS}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        cursor.execute("SELECT EXISTS (SELECT FROM tokenomics_devicespan)")
        (looked_before,) = cursor.fetchone()
        cursor.execute(_END, known)
        cursor.execute(_BEGIN, known)
        if not looked_before:
            cursor.execute(_BEFORE, known)
        cursor.execute(_TEAMS, known)
