"""Weeks and months, and how a window lies over them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from gpuaas.core import money
from reservations.capacity import Window


def weeks_of(window: Window, *, zone: tzinfo) -> Iterator[Window]:
    """Yield the ISO weeks that ``window`` touches, Monday to Monday by the clock of ``zone``.

    A week in which the clock is put forward or back is an hour shorter or longer.
    """
    first = window.starts_at.astimezone(zone).date()
    monday = datetime(first.year, first.month, first.day) - timedelta(days=first.weekday())  # noqa: DTZ001 -- made aware below
    while (starts_at := monday.replace(tzinfo=zone).astimezone(UTC)) < window.ends_at:
        monday += timedelta(days=7)
        yield Window(starts_at, monday.replace(tzinfo=zone).astimezone(UTC))


def months_of(window: Window) -> Iterator[Window]:
    """Yield the calendar months, UTC, that ``window`` touches."""
    starts_at = month_of(window.starts_at).starts_at
    while starts_at < window.ends_at:
        month = month_of(starts_at)
        yield month
        starts_at = month.ends_at


def month_of(instant: datetime) -> Window:
    """Return the calendar month, UTC, that ``instant`` lies in."""
    first = instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Window(first, (first + timedelta(days=32)).replace(day=1))


def overlap(one: Window, other: Window) -> timedelta:
    """Return how long both last."""
    ends_at, starts_at = min(one.ends_at, other.ends_at), max(one.starts_at, other.starts_at)
    return max(ends_at - starts_at, timedelta(0))


def split(amount: int, window: Window, periods: Sequence[Window]) -> list[int]:
    """Split ``amount`` over the ``periods`` that ``window`` lies in, by time, to the last unit."""
    if len(periods) == 1:
        return [amount]
    moment = timedelta(microseconds=1)
    return money.split(amount, [overlap(window, period) // moment for period in periods])
