"""Roles in teams: who gets one is told, and whose ends is told in time.

Memberships are changed below this layer, so they are looked at instead of announced by whoever
changes them: it is the row that is told, and only once.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from gpuaas.accounts.models import Membership
from gpuaas.notifications import selectors
from gpuaas.notifications.services.outbox import announce

TOLD_LATEST_AFTER: Final = timedelta(days=1)
TOLD_BEFORE_THE_END: Final = timedelta(days=7)


def announce_memberships(*, now: datetime) -> int:
    """Put roles that were granted lately, or that end soon, into the outbox; return how many.

    A role that was granted for less than `TOLD_BEFORE_THE_END` says its end when it is granted.
    """
    found = selectors.memberships_to_tell(
        granted_after=now - TOLD_LATEST_AFTER,
        ending_before=now + TOLD_BEFORE_THE_END,
        now=now,
    )
    keyed = {_key(each, now): each for each in found}
    new = keyed.keys() - selectors.told(keyed)
    with transaction.atomic():
        for key in sorted(new):
            _announce(key, keyed[key], now)
    return len(new)


def _key(membership: Membership, now: datetime) -> str:
    if _is_ending(membership, now):
        assert membership.expires_at is not None  # noqa: S101 -- it ends
        return f"membership.ending:{membership.pk}:{membership.expires_at.isoformat()}"
    return f"membership.granted:{membership.pk}:{membership.role}"


def _is_ending(membership: Membership, now: datetime) -> bool:
    ends = membership.expires_at
    if ends is None or ends > now + TOLD_BEFORE_THE_END:
        return False
    return membership.granted_at <= ends - TOLD_BEFORE_THE_END


def _announce(key: str, membership: Membership, now: datetime) -> None:
    data: dict[str, object] = {
        "person": membership.user_id,
        "actor": membership.granted_by_id,
        "role": membership.role,
        "expires_at": membership.expires_at and membership.expires_at.isoformat(),
    }
    announce(
        key.partition(":")[0],
        key=key,
        subject=f"team:{membership.team.slug}",
        team=membership.team,
        at=now,
        data=data,
    )
