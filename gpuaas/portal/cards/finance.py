"""Cost centres with their budgets, as finance sees them.  Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from gpuaas.portal.cards.costs import money
from tokenomics.core.budgets import BudgetState
from tokenomics.models import CostCentre


@dataclass(frozen=True, slots=True)
class CentreCard:
    """One cost centre this month: its budget ("" for none) and what is spoken for of it."""

    code: str
    name: str
    is_charged: bool
    budget: str
    blocks: bool
    actual: str
    committed: str
    forecast: str
    tone: str


def centre_cards(
    centres: Iterable[CostCentre], states: Iterable[BudgetState]
) -> tuple[CentreCard, ...]:
    """Return a card for each of ``states``; without a row a cost centre is only shown its cost."""
    known = {each.code: each for each in centres}
    return tuple(_card(known.get(state.cost_centre), state) for state in states)


def _card(centre: CostCentre | None, state: BudgetState) -> CentreCard:
    budget, currency = state.budget_minor, state.currency
    return CentreCard(
        code=state.cost_centre,
        name=centre.name if centre else "",
        is_charged=bool(centre and centre.is_charged),
        budget="" if budget is None else money(budget, currency),
        blocks=state.blocks,
        actual=money(state.actual_minor, currency),
        committed=money(state.committed_minor, currency),
        forecast=money(state.forecast_minor, currency),
        tone=_tone(state),
    )


def _tone(state: BudgetState) -> str:
    """Return the colour of the forecast: over the budget, nearly, or well within."""
    if state.budget_minor is None:
        return ""
    if state.spent_minor > state.budget_minor:
        return "danger"
    return "warning" if state.forecast_minor > state.budget_minor else "success"
