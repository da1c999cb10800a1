"""Budgets of cost centres: what they are, and what is spoken for."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet

from gpuaas.accounts.models import Team
from reservations import facts
from tokenomics.core.budgets import BudgetState
from tokenomics.core.months import month_at
from tokenomics.models import CostCentreBudget


def budget_of(cost_centre: str, *, at: datetime) -> CostCentreBudget | None:
    """Return the budget that counts in the month (UTC) of an instant."""
    month = at.astimezone(UTC).date().replace(day=1)
    budgets = CostCentreBudget.objects.filter(cost_centre__code=cost_centre, valid_from__lte=month)
    return budgets.order_by("-valid_from", "-pk").first()


def budgets(*, cost_centre: str | None = None) -> QuerySet[CostCentreBudget]:
    """Return every budget that was entered, of one cost centre or of all."""
    found = CostCentreBudget.objects.select_related("cost_centre", "set_by")
    return found if cost_centre is None else found.filter(cost_centre__code=cost_centre)


def teams_of(cost_centre: str) -> list[Team]:
    """Return the teams that pay under a cost centre now."""
    return list(Team.objects.filter(cost_centre=cost_centre).order_by("pk"))


def budget_state(cost_centre: str, *, now: datetime) -> BudgetState:
    """Return what is spent and committed of this month's budget, at the prices of bookings.

    Months of budgets are of UTC, as those of teams are.
    """
    used = [facts.used_by(team, now=now) for team in teams_of(cost_centre)]
    actual = sum(each.actual_minor for each in used)
    budget = budget_of(cost_centre, at=now)
    return BudgetState(
        cost_centre=cost_centre,
        currency=str(settings.CURRENCY),
        budget_minor=budget.amount_minor if budget else None,
        blocks=bool(budget and budget.blocks),
        actual_minor=actual,
        committed_minor=sum(each.spent_minor for each in used) - actual,
        passed=month_at(now, ZoneInfo("UTC")).part_until(now),
    )


def cost_centres_with_a_budget() -> list[str]:
    """Return every cost centre that has, or had, a budget."""
    codes = CostCentreBudget.objects.order_by("cost_centre__code")
    return list(codes.values_list("cost_centre__code", flat=True).distinct())
