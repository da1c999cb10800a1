"""What a team's month was used for: figures, and what charts are drawn from.  Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _

from gpuaas.core.money import Money, digits_of

if TYPE_CHECKING:
    from reservations.capacity import Window
    from reservations.usage import Usage
    from tokenomics.selectors.usage import GpuTime

_NONE: Final = Fraction()


@dataclass(frozen=True, slots=True)
class Day:
    """A day as a row: GPU-hours and, where the team has a budget, what is left of it."""

    day: date
    used: str
    to_come: str
    returned: str
    left: str


@dataclass(frozen=True, slots=True)
class MonthCard:
    """A team's month.  ``drawings`` are the charts by their names, ready for JSON."""

    facts: tuple[tuple[str, str, str], ...]
    days: tuple[Day, ...]
    drawings: Mapping[str, Any]
    has_budget: bool


def month_card(
    rows: "Iterable[Usage]",
    *,
    month: "Window",
    today: date,
    gpu: "GpuTime",
    budget_minor: int | None,
    currency: str,
) -> MonthCard:
    """Return the card of ``month`` from usage by day; ``budget_minor`` None: there is no limit."""
    days = _days_of(month)
    of = {each.group["day"]: each for each in rows if each.currency == currency}
    found = [of.get(day.isoformat()) for day in days]
    used = [each.used_gpu_hours if each else _NONE for each in found]
    back = [each.given_back_gpu_hours if each else _NONE for each in found]
    booked = [each.booked_gpu_hours if each else _NONE for each in found]
    to_come = [
        max(all_ - used_ - back_, _NONE)
        for all_, used_, back_ in zip(booked, used, back, strict=True)
    ]
    reclaimed = sum((each.reclaimed_gpu_hours for each in found if each), _NONE)
    spent = _running([each.cost_minor if each else 0 for each in found])
    paid = _running([each.used_cost_minor if each else 0 for each in found])
    drawings: dict[str, Any] = {
        "hours": {
            "names": [day.isoformat() for day in days],
            "unit": "h",
            "series": [
                _bars(_("Used"), "primary", used),
                _bars(_("Still to come"), "azure", to_come),
                _bars(_("Returned"), "success", back),
            ],
        }
    }
    if budget_minor is not None:
        until = sum(day <= today for day in days)
        drawings["budget"] = {
            "names": [day.isoformat() for day in days],
            "unit": currency,
            "series": [
                _line(_("Left, with all that is booked"), "primary", budget_minor, spent, currency),
                _line(_("Left, as used"), "success", budget_minor, paid[:until], currency),
                _pace(budget_minor, len(days), currency),
            ],
        }
    return MonthCard(
        facts=_facts(sum(booked, _NONE), sum(used, _NONE), sum(back, _NONE), reclaimed, gpu),
        days=tuple(
            Day(
                day,
                hours_words(used[n]),
                hours_words(to_come[n]),
                hours_words(back[n]),
                "" if budget_minor is None else str(Money(budget_minor - spent[n], currency)),
            )
            for n, day in enumerate(days)
            if booked[n]
        ),
        drawings=drawings,
        has_budget=budget_minor is not None,
    )


def hours_words(hours: Fraction) -> str:
    """Return GPU-hours in words: ``1,234.5 h``."""
    return f"{float(hours):,.1f}".removesuffix(".0") + " h"


def _facts(
    booked: Fraction, used: Fraction, back: Fraction, reclaimed: Fraction, gpu: "GpuTime"
) -> tuple[tuple[str, str, str], ...]:
    """Return name, value, and what it is measured on, of the figures of the month."""
    if gpu.active_ratio is None:
        active = idle = _("not measured")
        seen = _("no GPU telemetry of this month")
    else:
        active, idle = _percent(gpu.active_ratio), _percent(1 - gpu.active_ratio)
        seen = _("of %(hours)s that were watched") % {"hours": hours_words(gpu.seen_hours)}
    returned = (
        _("%(part)s of what was booked") % {"part": _percent(back / booked)} if booked else ""
    )
    if reclaimed:
        returned = _("%(hours)s of them because nobody came, or used them any more") % {
            "hours": hours_words(reclaimed)
        }
    return (
        (
            _("Booked"),
            hours_words(booked),
            _("%(hours)s used so far") % {"hours": hours_words(used)},
        ),
        (_("Utilisation"), active, seen),
        (_("Idle share"), idle, _("booked, and its GPUs did nothing")),
        (_("Returned"), hours_words(back), returned),
    )


def _days_of(month: "Window") -> list[date]:
    first, after = month.starts_at.date(), month.ends_at.date()
    return [first + timedelta(days=n) for n in range((after - first).days)]


def _running(amounts: Sequence[int]) -> list[int]:
    total, found = 0, []
    for amount in amounts:
        total += amount
        found.append(total)
    return found


def _bars(name: str, tone: str, hours: Sequence[Fraction]) -> dict[str, Any]:
    data = [round(float(each), 2) for each in hours]
    return {"name": name, "tone": tone, "type": "bar", "stack": "all", "data": data}


def _line(name: str, tone: str, budget: int, spent: Sequence[int], currency: str) -> dict[str, Any]:
    data = [_major(budget - each, currency) for each in spent]
    return {"name": name, "tone": tone, "type": "line", "data": data}


def _pace(budget: int, days: int, currency: str) -> dict[str, Any]:
    data = [_major(budget - budget * (n + 1) // days, currency) for n in range(days)]
    return {
        "name": _("Even pace"),
        "tone": "secondary",
        "type": "line",
        "dashed": True,
        "data": data,
    }


def _major(minor: int, currency: str) -> float:
    return minor / float(10 ** digits_of(currency))


def _percent(ratio: Fraction | float) -> str:
    return f"{round(float(ratio) * 100)} %"
