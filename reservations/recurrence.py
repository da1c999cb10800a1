"""Windows that repeat: the same time of the day, by a wall clock.  Pure."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from reservations import policy
from reservations.capacity import Window

MOST: Final = 100
_WEEK: Final = 7
_FIRST_OF_WEEKEND: Final = 5
_DAY: Final = timedelta(days=1)


class Every(enum.StrEnum):
    """On which days it is repeated."""

    DAY = "day"
    WEEKDAY = "weekday"
    """From Monday to Friday."""
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Repeat:
    """How a window is repeated: so many times, or to the last day ``until``: one of the two.

    ``on`` are days of the week, Monday 0, for `Every.WEEK`; none is the day of the first window.
    Days and times of the day are those of ``zone``.
    """

    every: Every
    zone: tzinfo
    count: int | None = None
    until: date | None = None
    on: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One of the windows; ``problem`` says why there is none on that day."""

    number: int
    window: Window
    problem: policy.Problem | None = None


def occurrences(first: Window, repeat: Repeat) -> tuple[Occurrence, ...]:
    """Return every occurrence, ``first`` being number 1 whatever day it is.

    The clock decides: what begins at 9:00 does so on every day.  A time that the clock skips on
    one of the days is no window there: that occurrence has a problem, and the others have none.

    Raises:
        Nonsense: there is nothing to repeat, too much of it, or one reaches into the next.
    """
    _check(first, repeat)
    found: list[Occurrence] = []
    for day in _days(first.starts_at.astimezone(repeat.zone).date(), repeat):
        if repeat.until is not None and day > repeat.until:
            break
        if len(found) == MOST:
            raise Nonsense(
                "too_many_occurrences", "until", f"a series has at most {MOST}: end it earlier"
            )
        found.append(_on(day, len(found) + 1, first, repeat.zone))
        if len(found) == repeat.count:
            break
    if len(found) < 2:  # noqa: PLR2004 -- one alone repeats nothing
        raise Nonsense(
            "nothing_repeats", "until", "that is one booking alone: end the series on a later day"
        )
    for one, other in pairwise(found):
        if one.window.ends_at > other.window.starts_at:
            message = (
                f"one of {policy.say_length(first.length)} is not over when the next begins: make"
                " it shorter, or repeat it less often"
            )
            raise Nonsense("occurrences_overlap", "ends_at", message)
    return tuple(found)


class Nonsense(ValueError):
    """It cannot be repeated like that; ``problem`` says why."""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(message)
        self.problem = policy.Problem(code, field, message)


def _check(first: Window, repeat: Repeat) -> None:
    if first.length <= timedelta(0):
        raise Nonsense("ends_before_it_starts", "ends_at", "it ends before it starts")
    if first.length > policy.LONGEST:
        longest = policy.say_length(policy.LONGEST)
        raise Nonsense("window_too_long", "ends_at", f"the longest booking is {longest}")
    if (repeat.count is None) == (repeat.until is None):
        raise Nonsense(
            "one_of_two", "count", "say how many there are, or the last day: one of them"
        )
    if repeat.count is not None and not 1 < repeat.count <= MOST:
        raise Nonsense("too_many_occurrences", "count", f"a series has 2 to {MOST} bookings")
    if repeat.on and repeat.every is not Every.WEEK:
        raise Nonsense("days_of_a_week", "on", "days of the week are for what is repeated by week")


def _days(first: date, repeat: Repeat) -> Iterator[date]:
    on = repeat.on or {first.weekday()}
    day = first
    while True:
        if day == first or _is_one(day, repeat.every, on):
            yield day
        try:
            day += _DAY
        except OverflowError:
            return


def _is_one(day: date, every: Every, on: frozenset[int] | set[int]) -> bool:
    match every:
        case Every.DAY:
            return True
        case Every.WEEKDAY:
            return day.weekday() < _FIRST_OF_WEEKEND
        case Every.WEEK:
            return day.weekday() in on


def _on(day: date, number: int, first: Window, zone: tzinfo) -> Occurrence:
    if number == 1:
        return Occurrence(number, first)
    shift = day - first.starts_at.astimezone(zone).date()
    starts_at, skipped = _shifted(first.starts_at, shift, zone)
    ends_at, end_skipped = _shifted(first.ends_at, shift, zone)
    window = Window(starts_at, max(ends_at, starts_at + policy.SHORTEST))
    if not (skipped or end_skipped or ends_at <= starts_at):
        return Occurrence(number, window)
    field = "starts_at" if skipped else "ends_at"
    message = (
        f"the clocks skip this time on {day}, when summer time begins: book that day by itself"
    )
    return Occurrence(number, window, policy.Problem("no_such_time", field, message))


def _shifted(instant: datetime, by: timedelta, zone: tzinfo) -> tuple[datetime, bool]:
    """Return the same wall clock so many days later, and whether the clock skips it then.

    Of two instants that the clock shows alike it is the first.
    """
    local = (instant.astimezone(zone).replace(tzinfo=None) + by).replace(tzinfo=zone, fold=0)
    there = local.astimezone(UTC)
    return there, there.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None)
