"""A month's cost as the pages show it: figures, a table by one dimension, and what is drawn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from django.utils.translation import gettext

from gpuaas.core.language import later
from gpuaas.core.money import Money, digits_of
from gpuaas.portal.wording import in_digits
from tokenomics.core.groups import Group, whole
from tokenomics.core.per_million import Denominator, Tokens
from tokenomics.exports.costs import SAID
from tokenomics.models import CostExport, CostPeriod, PeriodState
from tokenomics.selectors.reports import BookingCost

MOST_ROWS: Final = 200
MOST_DRAWN: Final = 12
_PERCENT: Final = 100
_SMALL: Final = 100_000
_STATES: Final = {
    PeriodState.OPEN: ("info", later("Open")),
    PeriodState.SOFT_CLOSED: ("warning", later("Soft closed")),
    PeriodState.CLOSED: ("success", later("Closed")),
}
_PARTS: Final = (
    ("used_minor", later("Booked, used")),
    ("unused_minor", later("Booked, unused")),
    ("idle_minor", later("Idle and stranded")),
    ("other_minor", later("Other")),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number at a glance: what it is, how much, and what part of the whole."""

    name: str
    amount: str
    words: str
    tone: str


@dataclass(frozen=True, slots=True)
class RowCard:
    """One group in the table; ``rates`` are per million tokens, by denominator."""

    key: str
    name: str
    amount: str
    share: str
    gpu_hours: str
    used: str
    bookings: str
    tokens: str
    rates: tuple[str, ...]
    covered: str


@dataclass(frozen=True, slots=True)
class MonthCard:
    """A month at a glance."""

    name: str
    title: str
    tone: str
    state: str
    currency: str
    figures: tuple[Figure, ...]
    rows: tuple[RowCard, ...]
    more: int
    total: RowCard
    drawings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExportCard:
    """A file that was asked for, with how much of it is there in percent."""

    public_id: str
    name: str
    is_done: bool
    percent: int
    words: str
    problem: str


def month_card(
    period: CostPeriod, groups: Sequence[Group], trend: Iterable[tuple[str, Mapping[str, int]]]
) -> MonthCard:
    """Return the card of ``period`` by ``groups``; ``trend`` has the months before as well."""
    total, currency = whole(groups), period.currency
    tone, state = _STATES[PeriodState(period.state)]
    drawn = [each for each in groups if each.total_minor > 0][:MOST_DRAWN]
    return MonthCard(
        name=str(period),
        title=f"{period.month:%B %Y}",
        tone=tone,
        state=state,
        currency=currency,
        figures=_figures(total, currency),
        rows=tuple(row_card(each, total, currency) for each in groups[:MOST_ROWS]),
        more=max(len(groups) - MOST_ROWS, 0),
        total=row_card(total, total, currency),
        drawings={
            "currency": currency,
            "groups": {
                "names": [each.name for each in drawn],
                "series": _series(drawn, currency),
            },
            "trend": _trend(trend, currency),
        },
    )


def row_card(group: Group, total: Group, currency: str) -> RowCard:
    """Return one row of the table."""
    used = group.used_share
    return RowCard(
        key=group.key,
        name=group.name,
        amount=money(group.total_minor, currency),
        share=percent(_ratio(group.total_minor, total.total_minor)),
        gpu_hours="" if group.gpu_hours is None else f"{group.gpu_hours:,.1f}",
        used=percent(used),
        bookings="" if group.bookings is None else f"{group.bookings:,}",
        tokens=tokens(_all(group.tokens)),
        rates=tuple(rate(group.per_million(by), currency) for by in Denominator),
        covered=percent(group.covered),
    )


def export_card(export: CostExport, name: str) -> ExportCard:
    """Return the card of a file."""
    done = export.done_at is not None
    part = min(export.lines_done * _PERCENT // export.lines, 99) if export.lines else 0
    size = f"{export.size / 1e6:,.1f} MB" if export.size > _SMALL else f"{export.size:,} bytes"
    words = (
        size
        if done
        else gettext("{lines_done} of {lines} lines").format(
            lines_done=f"{export.lines_done:,}", lines=f"{export.lines:,}"
        )
    )
    return ExportCard(
        str(export.public_id), name, done, _PERCENT if done else part, words, export.problem
    )


@dataclass(frozen=True, slots=True)
class BookingCard:
    """What a booking costs in a month and what that is made of, as its page shows it."""

    total: str
    lines: tuple[tuple[str, str, str, str], ...]
    categories: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, str, str, tuple[str, ...]], ...]
    coverage: str
    gpus: tuple[tuple[str, str, str, str], ...]


def booking_card(cost: BookingCost, period: CostPeriod) -> BookingCard:
    """Return the card of a booking's cost."""
    currency = period.currency
    categories: dict[str, int] = {}
    for line in cost.lines:
        for name, amount in line.amounts.items():
            categories[name] = categories.get(name, 0) + amount
    return BookingCard(
        total=money(cost.total_minor, currency),
        lines=tuple(
            (
                SAID[line.kind],
                f"{line.hours:,.2f}",
                f"{line.gpu_hours:,.2f}",
                money(line.amount_minor, currency),
            )
            for line in cost.lines
        ),
        categories=tuple((n.capitalize(), money(a, currency)) for n, a in categories.items()),
        models=tuple(
            (
                each.model,
                tokens(_all(each.tokens)),
                money(each.amount_minor, currency),
                tuple(rate(each.per_million(by), currency) for by in Denominator),
            )
            for each in cost.models
        ),
        coverage=percent(_decimal(cost.coverage.ratio)) or "unknown",
        gpus=tuple(_gpu(each) for each in cost.gpus),
    )


def _gpu(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return which device, for how long it was watched, how much it worked, and its energy."""
    seen, known = row["total_seen_ms"], row["total_active_seen_ms"]
    active = percent(_ratio(row["total_active_ms"], known)) or "unknown"
    energy = f"{row['total_energy_mj'] / 3.6e9:,.2f} kWh" if row["total_measured_ms"] else "unknown"
    name = f"{row['gpu_uuid']} {row['instance']}".strip()
    return name, f"{seen / 3_600_000:,.1f} h", active, energy


def _all(counted: Tokens) -> int:
    return counted.processed + counted.prompt_cached


def _decimal(ratio: Fraction | None) -> Decimal | None:
    return None if ratio is None else Decimal(ratio.numerator) / ratio.denominator


def money(minor: int, currency: str) -> str:
    """Show an amount with its currency."""
    return in_digits(str(Money(minor, currency)))


def rate(minor: Decimal | None, currency: str) -> str:
    """Show minor units per million tokens in major ones, to four digits."""
    if minor is None:
        return gettext("no tokens")
    return f"{minor.scaleb(-digits_of(currency)):,.4f}"


def tokens(count: int) -> str:
    """Show a number of tokens, in thousands, millions or billions."""
    for size, word in ((10**9, "bn"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{Decimal(count) / size:,.1f} {word}"
    return str(count)


def percent(ratio: Decimal | None) -> str:
    """Show a ratio as a percentage; nothing where there is none."""
    return "" if ratio is None else f"{ratio * _PERCENT:.0f} %"


def _ratio(part: int, of: int) -> Decimal | None:
    return Decimal(part) / of if of else None


def _figures(total: Group, currency: str) -> tuple[Figure, ...]:
    parts = [(name, getattr(total, column)) for column, name in _PARTS]
    tones = ("success", "warning", "secondary", "info")
    found = [
        Figure(
            gettext("Total"), money(total.total_minor, currency), gettext("of the month"), "primary"
        )
    ]
    found += [
        Figure(
            name,
            money(amount, currency),
            gettext("{part} of the total").format(
                part=percent(_ratio(amount, total.total_minor)) or "0 %"
            ),
            tone,
        )
        for (name, amount), tone in zip(parts, tones, strict=True)
        if amount is not None and (amount or name != "Other")
    ]
    return tuple(found)


def _series(groups: Iterable[Group], currency: str) -> list[dict[str, Any]]:
    listed = list(groups)
    if any(each.used_minor is None for each in listed):
        amounts = [_major(each.total_minor, currency) for each in listed]
        return [{"name": gettext("Amount"), "data": amounts}]
    found = []
    for column, name in _PARTS:
        amounts = [_major(getattr(each, column), currency) for each in listed]
        if any(amounts):
            found.append({"name": name, "data": amounts})
    return found


def _trend(months: Iterable[tuple[str, Mapping[str, int]]], currency: str) -> dict[str, Any]:
    listed = list(months)
    return {
        "names": [name for name, _ in listed],
        "series": [
            {"name": name, "data": [_major(parts.get(column, 0), currency) for _, parts in listed]}
            for column, name in _PARTS
        ],
    }


def _major(minor: int | None, currency: str) -> float:
    return float(Decimal(minor or 0).scaleb(-digits_of(currency)))
