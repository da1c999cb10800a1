"""How long a month with many bookings takes to be closed: calculated, checked, stated, for good.

    python benchmarks/cost_close.py [--bookings N] [--nodes N]

On a durable PostgreSQL; every booking has been measured for some hours.  To be under 60 seconds.
"""

import argparse
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import world

STARTS = datetime(2026, 10, 1, tzinfo=UTC)
HOURS = 744
TEAMS = 40
# Bookings of as many hours, one after another, on every device.
LENGTH_HOURS = 4

_BOOKINGS = """
INSERT INTO reservations_reservation (
    public_id, pool_id, node_id, team_id, requested_by_id, resource_name, units, mode,
    cpu_millicores, memory_mib, storage_gib, purpose, starts_at, ends_at, state, state_reason,
    state_changed_at, created_at, cost_minor, currency, overridden
)
SELECT gen_random_uuid(), node.pool_id, node.id, team.id, person.id, device.resource_name, 1,
    'interactive', 1000, 1024, 10, 'research', begins, begins + %(length)s * interval '1 hour',
    CASE WHEN number %% 97 = 0 THEN 'FAILED' ELSE 'COMPLETED' END, 'over',
    begins, %(starts)s, 0, 'EUR', '[]'
FROM (
    SELECT device.*, row_number() OVER (ORDER BY device.id) AS place FROM inventory_device device
) AS device
JOIN inventory_node node ON node.id = device.node_id
CROSS JOIN generate_series(0, %(each)s - 1) AS number
CROSS JOIN LATERAL (SELECT %(starts)s + number * %(length)s * interval '1 hour' AS begins) AS at
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM accounts_team) AS team
    ON team.place = (device.place + number) %% %(teams)s
CROSS JOIN (SELECT min(id) AS id FROM accounts_user) AS person
ORDER BY device.place, number
"""
_HOLDS = """
INSERT INTO reservations_devicehold (reservation_id, device_id, during)
SELECT booked.id, device.id, tstzrange(booked.starts_at, booked.ends_at)
FROM (
    SELECT *, dense_rank() OVER (
        PARTITION BY node_id, resource_name, starts_at ORDER BY id
    ) - 1 AS place FROM reservations_reservation
) AS booked
JOIN inventory_device device ON device.node_id = booked.node_id
    AND device.resource_name = booked.resource_name AND device.ordinal = booked.place
"""
_METERS = """
INSERT INTO tokenomics_gpuhour (
    cluster_id, reservation_id, gpu_uuid, instance, hour, charged_month,
    seen_ms, active_ms, active_seen_ms, measured_ms, energy_mj, entries
)
SELECT pool.cluster_id, booked.id, 'GPU-' || booked.node_id, booked.id::text, hour, %(month)s,
    3600000, booked.id * 7919 %% 3600000, 3600000, 3600000, 500000000, 60
FROM reservations_reservation booked JOIN inventory_pool pool ON pool.id = booked.pool_id
CROSS JOIN generate_series(
    booked.starts_at, booked.ends_at - interval '1 hour', interval '1 hour'
) AS hour
"""


def fill(bookings: int, nodes: int) -> "Any":
    """Fill the month, and return somebody of finance."""
    from django.db import connection  # noqa: PLC0415 -- after Django is set up

    from gpuaas.accounts.models import OrganisationRole, Team  # noqa: PLC0415
    from tests import make  # noqa: PLC0415
    from tokenomics import documents  # noqa: PLC0415
    from tokenomics.services import inputs  # noqa: PLC0415

    by = make.user(organisation_role=OrganisationRole.FINANCE)
    most_each = HOURS // LENGTH_HOURS
    devices = -(-bookings // most_each)
    pools = [make.pool(devices={make.SLICE: -(-devices // nodes)}, nodes=1) for _ in range(nodes)]
    for number in range(TEAMS):
        Team.objects.create(
            name=f"Team {number}", slug=f"team-{number}", cost_centre=f"CC-{number % 20:03}"
        )
    inputs.enter_sheet(
        document=documents.example_sheet(), reason="for the benchmark", actor=by, now=STARTS
    )
    known = {
        "starts": STARTS,
        "length": LENGTH_HOURS,
        "each": most_each,
        "teams": TEAMS,
        "month": date(2026, 10, 1),
    }
    with connection.cursor() as cursor:
        for sql in (_BOOKINGS, _HOLDS, _METERS):
            cursor.execute(sql, known)
            print(f"  {cursor.rowcount:,} rows")
        cursor.execute("ANALYZE")
    print(f"  {len(pools)} nodes, {TEAMS} teams")
    return by


def main() -> None:
    """Fill a month, close it, and print how long that took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bookings", type=int, default=100_000)
    parser.add_argument("--nodes", type=int, default=20)
    asked = parser.parse_args()
    with world.database():
        from tokenomics.selectors import costs  # noqa: PLC0415 -- after Django is set up
        from tokenomics.services import periods  # noqa: PLC0415

        by = fill(asked.bookings, asked.nodes)
        over = STARTS + timedelta(hours=HOURS)
        period = periods.open_period(month=date(2026, 10, 1), now=over)
        for what, action, now in (
            ("soft close", periods.soft_close, over),
            ("close", periods.close, over + timedelta(days=4)),
        ):
            began = time.perf_counter()
            period = action(period=period, actor=by, now=now)
            print(f"{what}: {time.perf_counter() - began:.1f} s")
        found = costs.reconciliation(period)
        statements = costs.statements(period)
        print(f"{statements[0].lines:,} lines in {len(statements)} statements")
        print("adds up:", found.is_even)


if __name__ == "__main__":
    main()
