"""The cost sheet: what finance puts in, as frozen data, each with its dates and its source.

Units are in the names.  Days are local to the company; ``valid_until`` is the first day on which
something does not count any more.  Without a ``pool`` (its slug) an entry is for all pools.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any, Final

from tokenomics.core.fields import (
    InvalidScenario,
    Problem,
    choice,
    day,
    items,
    number,
    read,
    repeated,
    text,
    whole,
)
from tokenomics.core.lines import Category
from tokenomics.core.scenario import CURRENCY

_SLUG: Final = "[a-z0-9-]+"
_CATEGORY: Final = "[a-z][a-z0-9_]*"
_WORKDAYS: Final = range(5)
_WEEKEND: Final = range(5, 7)
RESERVED: Final = frozenset({*Category, "adjustment"})


class Days(enum.StrEnum):
    """On which days of the week a tariff counts."""

    ALL = "all"
    WORKDAYS = "workdays"
    WEEKEND = "weekend"

    def has(self, weekday: int) -> bool:
        """Return whether ``weekday`` (Monday 0) is one of them."""
        return {
            Days.ALL: True,
            Days.WORKDAYS: weekday in _WORKDAYS,
            Days.WEEKEND: weekday in _WEEKEND,
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Something bought: its price less what it still fetches is spread evenly over its life.

    ``maintenance_per_year`` is a contract's amount, besides the part of the price.
    """

    name: str = text()
    pool: str | None = text(40, pattern=_SLUG, default=None)
    price: Decimal = number()
    residual: Decimal = number(default="0")
    life_months: int = whole(1, 360)
    in_service_from: date = day()
    retired_on: date | None = day(default=None)
    maintenance_ratio_per_year: Decimal = number("0", "1", default="0")
    maintenance_per_year: Decimal = number(default="0")
    currency: str | None = text(3, pattern=CURRENCY, default=None)
    source: str = text(200)

    def check(self) -> Iterator[Problem]:
        if self.residual > self.price:
            yield Problem("residual", "out_of_range", f"at most the price, {self.price:f}")
        yield from _forward("retired_on", self.in_service_from, self.retired_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a kilowatt-hour costs in a band of local hours, ``until_hour`` not included."""

    name: str = text()
    price_per_kwh: Decimal = number("0", "1000")
    days: Days = choice(Days, default=Days.ALL)
    from_hour: int = whole(0, 23, default=0)
    until_hour: int = whole(1, 24, default=24)
    valid_from: date = day()
    valid_until: date | None = day(default=None)
    currency: str | None = text(3, pattern=CURRENCY, default=None)
    source: str = text(200)

    def check(self) -> Iterator[Problem]:
        if self.until_hour <= self.from_hour:
            message = f"later than from_hour, {self.from_hour}: make two bands over midnight"
            yield Problem("until_hour", "out_of_range", message)
        yield from _forward("valid_until", self.valid_from, self.valid_until)

    def covers(self, on: date, hour: int) -> bool:
        """Return whether it counts in the local ``hour`` of the day ``on``."""
        return (
            self.valid_from <= on
            and (self.valid_until is None or on < self.valid_until)
            and self.from_hour <= hour < self.until_hour
            and self.days.has(on.weekday())
        )

    def overlaps(self, other: "Tariff") -> bool:
        """Return whether some hour could have two prices."""
        return (
            max(self.from_hour, other.from_hour) < min(self.until_hour, other.until_hour)
            and _meet(self, other)
            and any(self.days.has(each) and other.days.has(each) for each in range(7))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """Power usage effectiveness from a day on: all energy over that of the computers."""

    pue: Decimal = number("1", "5")
    valid_from: date = day()
    source: str = text(200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watts:
    """What a server without its GPUs, an idle GPU and a busy GPU draw, from a day on."""

    pool: str | None = text(40, pattern=_SLUG, default=None)
    host_watts: Decimal = number("0", "1e6")
    gpu_idle_watts: Decimal = number("0", "1e5")
    gpu_max_watts: Decimal = number("0", "1e5")
    valid_from: date = day()
    source: str = text(200)

    def check(self) -> Iterator[Problem]:
        if self.gpu_idle_watts > self.gpu_max_watts:
            message = f"at most gpu_max_watts, {self.gpu_max_watts:f}"
            yield Problem("gpu_idle_watts", "out_of_range", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A cost a month with a category of its own: licences, space, staff."""

    category: str = text(40, pattern=_CATEGORY)
    pool: str | None = text(40, pattern=_SLUG, default=None)
    cost_per_month: Decimal = number()
    valid_from: date = day()
    valid_until: date | None = day(default=None)
    currency: str | None = text(3, pattern=CURRENCY, default=None)
    source: str = text(200)

    def check(self) -> Iterator[Problem]:
        if self.category in RESERVED:
            message = f"{self.category} is a category of its own: choose another name"
            yield Problem("category", "reserved", message)
        yield from _forward("valid_until", self.valid_from, self.valid_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A standard rate from a day on, for the policy that charges by rates."""

    pool: str | None = text(40, pattern=_SLUG, default=None)
    price_per_gpu_hour: Decimal = number("0", "1e6")
    valid_from: date = day()
    currency: str | None = text(3, pattern=CURRENCY, default=None)
    source: str = text(200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that finance puts in; money is in major units of ``currency``."""

    currency: str = text(3, pattern=CURRENCY)
    hardware: tuple[Hardware, ...] = items(Hardware, most=1000, default=())
    tariffs: tuple[Tariff, ...] = items(Tariff, most=500, default=())
    cooling: tuple[Cooling, ...] = items(Cooling, most=100, default=())
    watts: tuple[Watts, ...] = items(Watts, most=500, default=())
    other: tuple[Other, ...] = items(Other, most=500, default=())
    rates: tuple[Rate, ...] = items(Rate, most=500, default=())

    def check(self) -> Iterator[Problem]:
        yield from repeated([each.name for each in self.hardware], "hardware[{}].name".format)
        for (_, first), (index, second) in combinations(enumerate(self.tariffs), 2):
            if first.overlaps(second):
                message = f"overlaps {first.name}: an hour has one price"
                yield Problem(f"tariffs[{index}]", "overlapping", message)
        for name, dated in (("watts", self.watts), ("rates", self.rates)):
            yield from _repeated(name, dated, lambda each: (each.pool, each.valid_from))
        yield from _repeated("cooling", self.cooling, lambda each: each.valid_from)
        yield from self._currencies()

    def _currencies(self) -> Iterator[Problem]:
        for name in ("hardware", "tariffs", "other", "rates"):
            for index, each in enumerate(getattr(self, name)):
                if each.currency not in (None, self.currency):
                    message = f"{each.currency} in a sheet of {self.currency}: one sheet, one money"
                    yield Problem(f"{name}[{index}].currency", "mixed_currencies", message)

    @property
    def pools(self) -> dict[str, str]:
        """Every pool that is named, and the field that names it first."""
        found: dict[str, str] = {}
        for name in ("hardware", "watts", "other", "rates"):
            for index, each in enumerate(getattr(self, name)):
                if each.pool is not None:
                    found.setdefault(each.pool, f"{name}[{index}].pool")
        return found


def sheet_of(value: object) -> Sheet:
    """Return the sheet in plain data; raises `InvalidScenario` with everything that is wrong."""
    problems: list[Problem] = []
    found = read(Sheet, value, path="", problems=problems)
    if problems or found is None:
        raise InvalidScenario(problems)
    return found


def _forward(field: str, since: date, until: date | None) -> Iterator[Problem]:
    if until is not None and until <= since:
        yield Problem(field, "out_of_range", f"later than {since.isoformat()}")


def _meet(first: Tariff, second: Tariff) -> bool:
    """Return whether there is a day on which both are valid."""
    ends = [each.valid_until for each in (first, second) if each.valid_until is not None]
    return not ends or max(first.valid_from, second.valid_from) < min(ends)


def _repeated(name: str, dated: Sequence[Any], key: Callable[[Any], object]) -> Iterator[Problem]:
    seen: set[object] = set()
    for index, each in enumerate(dated):
        if key(each) in seen:
            message = f"there is one from {each.valid_from.isoformat()} already"
            yield Problem(f"{name}[{index}].valid_from", "repeated", message)
        seen.add(key(each))
