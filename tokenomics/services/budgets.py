"""Telling those who answer for the teams of a cost centre how much of its budget is spoken for."""

from datetime import datetime
from typing import Final

from django.db import transaction

from gpuaas.core.money import Money
from gpuaas.notifications import selectors as notifications
from gpuaas.notifications.services import announce
from reservations.policy import threshold_reached
from tokenomics.selectors import budgets as selectors

EVENT: Final = "budget.threshold"


def announce_budgets(*, now: datetime) -> int:
    """Announce each part of this month's budget that is newly spoken for; return how many.

    Each threshold of a month is told once, and of several that are passed together the highest.
    """
    return sum(_announce(each, now=now) for each in selectors.cost_centres_with_a_budget())


def _announce(cost_centre: str, *, now: datetime) -> int:
    state = selectors.budget_state(cost_centre, now=now)
    if state.budget_minor is None:
        return 0
    percent = threshold_reached(state.spent_minor, budget_minor=state.budget_minor)
    keys = {
        f"{EVENT}:{cost_centre}:{team.pk}:{now:%Y-%m}:{percent}": team
        for team in selectors.teams_of(cost_centre)
        if percent
    }
    new = keys.keys() - notifications.told(keys)
    with transaction.atomic():
        for key in sorted(new):
            announce(
                EVENT,
                key=key,
                subject=f"cost_centre:{cost_centre}",
                team=keys[key],
                at=now,
                data={
                    "cost_centre": cost_centre,
                    "blocks": state.blocks,
                    "percent": percent,
                    "month": f"{now:%B %Y}",
                    "spent": str(Money(state.spent_minor, state.currency)),
                    "budget": str(Money(state.budget_minor, state.currency)),
                },
            )
    return bool(new)
