"""Months as finance counts them: from a local midnight to a local midnight, with clock changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from tokenomics.core.ledger import month_after

_HOUR = timedelta(hours=1)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Month:
    """A month from its first day, ``month``, in ``zone``; instants are UTC."""

    month: date
    zone: ZoneInfo

    @property
    def starts_at(self) -> datetime:
        return _midnight(self.month, self.zone)

    @property
    def ends_at(self) -> datetime:
        return _midnight(month_after(self.month), self.zone)

    def part_until(self, instant: datetime) -> Fraction:
        """Return which part of the month has passed at ``instant``: 0 before it, 1 after it."""
        if instant <= self.starts_at:
            return Fraction(0)
        passed = min(instant, self.ends_at) - self.starts_at
        return Fraction(passed // _MS, (self.ends_at - self.starts_at) // _MS)


def month_at(instant: datetime, zone: ZoneInfo) -> Month:
    """Return the month that ``instant`` lies in."""
    return Month(instant.astimezone(zone).date().replace(day=1), zone)


def months_since(day: date, instant: datetime, zone: ZoneInfo) -> Fraction:
    """Return how many months have passed at ``instant`` since ``day`` began; never below 0.

    A month that has begun counts by the part of it that has passed.
    """
    return max(_number(instant, zone) - _number(_midnight(day, zone), zone), Fraction(0))


def hours_between(starts_at: datetime, ends_at: datetime) -> Iterator[datetime]:
    """Return the start of each hour, UTC; both ends are whole hours."""
    at = starts_at.astimezone(UTC)
    while at < ends_at:
        yield at
        at += _HOUR


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant, UTC, at which ``day`` begins in ``zone``."""
    return _midnight(day, zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _number(instant: datetime, zone: ZoneInfo) -> Fraction:
    month = month_at(instant, zone)
    return 12 * month.month.year + month.month.month + month.part_until(instant)
