"""What a team may use and has used, as meters.  Pure: rows in, finished text out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from gpuaas.core.language import later
from gpuaas.core.money import Money
from gpuaas.portal.wording import duration, in_digits, plural

if TYPE_CHECKING:
    from reservations.facts import Used
    from reservations.models import TeamRules

FULL: Final = 1000  # how wide a meter is drawn
_NEARLY: Final = Fraction(4, 5)
NO_LIMIT: Final = later("No limit")


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a meter: from ``start``, so ``wide`` (thousandths of it), and what it is."""

    start: int
    wide: int
    look: str
    words: str


@dataclass(frozen=True, slots=True)
class Meter:
    """One limit: how much is used of how much.  Without a limit there is nothing to draw."""

    title: str
    since: datetime | None
    used: str
    most: str
    left: str
    tone: str
    parts: tuple[Part, ...]

    @property
    def words(self) -> str:
        """What the picture says, for those who do not see it."""
        return gettext("{used} of {most} used, {left}").format(
            used=self.used, most=self.most, left=self.left
        )


@dataclass(frozen=True, slots=True)
class LimitsCard:
    """Every limit of a team: the meters, and the others as words."""

    meters: tuple[Meter, ...]
    others: tuple[tuple[str, str], ...]
    pools: tuple[str, ...]


def limits_card(
    rules: "TeamRules", *, pools: tuple[str, ...], used: "Used", currency: str
) -> LimitsCard:
    """Return what ``rules`` allow and how much of it is ``used``; no ``pools`` means every one."""
    return LimitsCard(
        meters=(
            budget_meter(rules.budget_minor, used, currency),
            _hours(rules.gpu_hours_per_week, used),
            _units(rules.concurrent_units, used),
        ),
        others=tuple(_others(rules, currency)),
        pools=pools,
    )


def budget_meter(most: int | None, used: "Used", currency: str) -> Meter:
    """Return what is used of this month's budget: ``most`` in minor units, None for no limit."""

    def say(minor: int) -> str:
        return in_digits(str(Money(minor, currency)))

    actual, committed = used.actual_minor, used.spent_minor - used.actual_minor
    return meter(
        gettext("Budget this month"),
        used.month.starts_at,
        [
            (Fraction(actual), "actual", f"{say(actual)} used"),
            (Fraction(committed), "committed", f"{say(committed)} committed"),
        ],
        most=None if most is None else Fraction(most),
        say=lambda amount: say(int(amount)),
    )


def _hours(most: int | None, used: "Used") -> Meter:
    return meter(
        gettext("GPU-hours this week"),
        used.week.starts_at,
        [(used.gpu_hours, "actual", "")],
        most=None if most is None else Fraction(most),
        say=lambda amount: f"{float(amount):,.1f}".removesuffix(".0") + " h",
    )


def _units(most: int | None, used: "Used") -> Meter:
    return meter(
        gettext("Units at once"),
        None,
        [(Fraction(used.units_now), "actual", "")],
        most=None if most is None else Fraction(most),
        say=lambda amount: plural(int(amount), "unit"),
    )


def meter(
    title: str,
    since: datetime | None,
    amounts: list[tuple[Fraction, str, str]],
    *,
    most: Fraction | None,
    say: Callable[[Fraction], str],
) -> Meter:
    """Return one meter: ``amounts`` with look and words, of ``most``; None is no limit."""
    total = sum((amount for amount, _, _ in amounts), Fraction(0))
    left = "" if most is None else f"{say(max(most - total, Fraction(0)))} left"
    tone = "secondary"
    if most is not None:
        tone = "danger" if total >= most else "warning" if total >= _NEARLY * most else "primary"
    return Meter(
        title=title,
        since=since,
        used=say(total),
        most=NO_LIMIT if most is None else say(most),
        left=left,
        tone=tone,
        parts=() if most is None else tuple(_parts(amounts, most=max(most, total))),
    )


def _parts(amounts: list[tuple[Fraction, str, str]], *, most: Fraction) -> Iterator[Part]:
    start = 0
    for amount, look, words in amounts:
        wide = round(amount / most * FULL) if most else 0
        # A little is drawn as a little, not as nothing.
        wide = min(max(wide, 4) if amount else 0, FULL - start)
        yield Part(start, wide, look, words)
        start += wide


def _others(rules: "TeamRules", currency: str) -> Iterator[tuple[str, str]]:
    if rules.longest_minutes is not None:
        yield gettext("Longest booking"), minutes(rules.longest_minutes)
    if rules.horizon_days is not None:
        yield (
            gettext("Books ahead"),
            gettext("{plural} at most").format(plural=plural(rules.horizon_days, "day")),
        )
    above = approval_words(
        rules.approval_above_units,
        rules.approval_above_minutes,
        rules.approval_above_cost_minor,
        currency,
    )
    if above:
        yield gettext("Needs approval"), above


def approval_words(
    units: int | None, length_minutes: int | None, cost_minor: int | None, currency: str
) -> str:
    """Return above what somebody has to approve; empty where nobody has to."""
    found = []
    if units is not None:
        found.append(gettext("more than {plural}").format(plural=plural(units, "unit")))
    if length_minutes is not None:
        found.append(gettext("longer than {minutes}").format(minutes=minutes(length_minutes)))
    if cost_minor is not None:
        found.append(gettext("dearer than {money}").format(money=Money(cost_minor, currency)))
    return ", ".join(found)


def minutes(number: int) -> str:
    """Return a length that is kept in minutes; none of it is ``0 min``."""
    return duration(timedelta(minutes=number)) if number else gettext("0 min")
