"""Whether a month adds up, as its page shows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.utils.translation import gettext

from gpuaas.core.language import later
from gpuaas.portal.cards.costs import money
from tokenomics.core.lines import NS_PER_HOUR
from tokenomics.models import CostAdjustment, CostPeriod
from tokenomics.selectors.costs import Reconciliation

_NO_CENTRE: Final = later("(no cost centre)")


@dataclass(frozen=True, slots=True)
class BalanceCard:
    """One category of one pool: due, paid and the difference; "" for none."""

    pool: str
    category: str
    due: str
    paid: str
    difference: str


@dataclass(frozen=True, slots=True)
class ReconciliationCard:
    """A month's balances, its hours in GPU-hours, and its cost centres by category."""

    is_even: bool
    balances: tuple[BalanceCard, ...]
    hours: tuple[tuple[str, str], ...]
    calendar: str
    hours_difference: str
    wrong_lines: int
    categories: tuple[str, ...]
    centres: tuple[tuple[str, tuple[str, ...], str], ...]
    totals: tuple[str, ...]
    total: str


@dataclass(frozen=True, slots=True)
class AdjustmentCard:
    """An amount that somebody entered, and what became of it."""

    public_id: UUID
    amount: str
    cost_centre: str
    corrects: str
    reason: str
    entered_by: str
    approved_by: str
    is_rejected: bool

    @property
    def is_waiting(self) -> bool:
        return not (self.approved_by or self.is_rejected)


def adjustment_cards(found: Iterable[CostAdjustment]) -> tuple[AdjustmentCard, ...]:
    """Return the cards of a month's adjustments."""
    return tuple(
        AdjustmentCard(
            public_id=each.public_id,
            amount=money(each.amount_minor, each.currency),
            cost_centre=each.cost_centre,
            corrects=f"{each.corrects:%Y-%m}" if each.corrects else "",
            reason=each.reason,
            entered_by=each.entered_by.username,
            approved_by=each.approved_by.username if each.approved_by else "",
            is_rejected=each.rejected_at is not None,
        )
        for each in found
    )


def reconciliation_card(found: Reconciliation, period: CostPeriod) -> ReconciliationCard:
    """Return the card of a month's reconciliation."""
    currency = period.currency
    names = sorted({name for amounts in found.by_centre.values() for name in amounts})
    columns = [sum(each.get(name, 0) for each in found.by_centre.values()) for name in names]
    return ReconciliationCard(
        is_even=found.is_even,
        balances=tuple(
            BalanceCard(
                pool=each.pool or gettext("no pool"),
                category=each.category.capitalize(),
                due=money(each.due_minor, currency),
                paid=money(each.paid_minor, currency),
                difference=money(each.difference_minor, currency) if each.difference_minor else "",
            )
            for each in found.balances
        ),
        hours=tuple((name.capitalize(), _hours(ns)) for name, ns in found.hours.items()),
        calendar=_hours(found.calendar_ns),
        hours_difference=_hours(found.hours_difference_ns) if found.hours_difference_ns else "",
        wrong_lines=found.wrong_lines,
        categories=tuple(name.capitalize() for name in names),
        centres=tuple(
            (
                centre or _NO_CENTRE,
                tuple(money(amounts.get(name, 0), currency) for name in names),
                money(sum(amounts.values()), currency),
            )
            for centre, amounts in sorted(found.by_centre.items())
        ),
        totals=tuple(money(column, currency) for column in columns),
        total=money(sum(columns), currency),
    )


def _hours(ns: int) -> str:
    return f"{Decimal(ns) / NS_PER_HOUR:,.2f}"
