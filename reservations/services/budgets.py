"""Telling those who answer for a budget how much of it is spoken for."""

from datetime import datetime
from typing import Final

from django.db import transaction

from gpuaas.core.money import Money
from gpuaas.notifications.services import announce
from reservations import facts, policy
from reservations.capacity import Window
from reservations.models import TeamLedger, TeamRules

EVENT: Final = "budget.threshold"
TEAMS_AT_ONCE: Final = 200


def announce_budgets(*, now: datetime) -> int:
    """Announce each part of a month's budget that is newly spoken for; return how many there were.

    Only teams are looked at whose ledger moved since the last time.  Each threshold of a month is
    told once, and of several that are passed together the highest.
    """
    return sum(
        _announce(ledger, now=now) for ledger in facts.ledgers_not_told(at_most=TEAMS_AT_ONCE)
    )


def _announce(ledger: TeamLedger, *, now: datetime) -> int:
    # What is read now is not older than the version that the ledger was read with.
    rules = ledger.team.rules
    reached = {
        month: (minor, policy.threshold_reached(minor, budget_minor=rules.budget_minor or 0))
        for month, minor in facts.spent_by_month(ledger.team, now=now).items()
    }
    with transaction.atomic():
        locked = TeamLedger.objects.select_for_update(no_key=True).get(pk=ledger.pk)
        if locked.told_version >= ledger.version:
            return 0  # another worker was here first
        told = {_name(month): locked.told.get(_name(month), 0) for month in reached}
        new = [month for month, (_, percent) in reached.items() if percent > told[_name(month)]]
        for month in new:
            minor, percent = reached[month]
            _tell(ledger, rules, month, minor, percent, now)
            told[_name(month)] = percent
        # Months that are over are left out here, and nobody asks for them again.
        TeamLedger.objects.filter(pk=ledger.pk).update(told_version=ledger.version, told=told)
    return len(new)


def _tell(
    ledger: TeamLedger, rules: TeamRules, month: Window, minor: int, percent: int, now: datetime
) -> None:
    team = ledger.team
    announce(
        EVENT,
        key=f"{EVENT}:{team.pk}:{_name(month)}:{percent}",
        subject=f"team:{team.slug}",
        team=team,
        at=now,
        data={
            "percent": percent,
            "month": f"{month.starts_at:%B %Y}",
            "spent": str(Money(minor, rules.currency)),
            "budget": str(Money(rules.budget_minor or 0, rules.currency)),
        },
    )


def _name(month: Window) -> str:
    return f"{month.starts_at:%Y-%m}"
