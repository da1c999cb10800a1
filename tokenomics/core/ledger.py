"""An entry of the ledger before it is written: checked, with its digest, hour and month.  Pure.

Time is UTC throughout, and so are months.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

GRACE: Final = timedelta(days=3)
"""For so long after a month what comes late still counts in it."""

MOST_TOKENS: Final = 10**12
"""No single entry is more: ten thousand GPUs make as many in a day."""

MOST_REQUESTS: Final = 10**9
FIGURES: Final = ("prompt_computed", "prompt_cached", "generated", "requests")
_MOMENT: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST: Final = {"source": 120, "event_id": 200, "engine": 20, "model": 200}


class BadEntry(ValueError):
    """An entry that cannot be booked; ``field`` is what is wrong with it."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(f"{field_name}: {message}")
        self.field = field_name
        self.message = message


@dataclass(frozen=True, slots=True)
class Booking:
    """Whom an entry is for: the booking, and the team and pool it had when it was made."""

    reservation_id: int
    team_id: int
    pool_id: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one model of a booking processed in a time.  None is unknown, never 0.

    Raises `BadEntry`.
    """

    source: str
    event_id: str
    booking: Booking
    engine: str
    model: str
    started_at: datetime
    ended_at: datetime
    prompt_computed: int | None = None
    prompt_cached: int | None = None
    generated: int | None = None
    requests: int | None = None
    is_reading: bool = False
    evidence: Mapping[str, Any] | None = field(default=None)

    def __post_init__(self) -> None:
        for name, longest in _LONGEST.items():
            text = getattr(self, name)
            if not text or len(text) > longest:
                raise BadEntry(name, f"must have 1 to {longest} characters")
            if "\0" in text:
                raise BadEntry(name, "must not hold a NUL character")
        if self.ended_at < self.started_at:
            raise BadEntry("ended_at", "must not be before started_at")
        for name in FIGURES:
            most = MOST_REQUESTS if name == "requests" else MOST_TOKENS
            number = getattr(self, name)
            if number is not None and not 0 <= number <= most:
                raise BadEntry(name, f"is {number}: must be from 0 to {most}")

    @property
    def digest(self) -> bytes:
        """Sixteen bytes over everything that the event tells; when it came is not in it."""
        told = (
            self.booking.reservation_id,
            self.engine,
            self.model,
            (self.started_at - _EPOCH) // _MOMENT,
            (self.ended_at - _EPOCH) // _MOMENT,
            self.prompt_computed,
            self.prompt_cached,
            self.generated,
            self.requests,
        )
        return digest_of(told)


@dataclass(frozen=True, slots=True)
class GpuUsage:
    """What one GPU, or one slice of it, did in a time.  Energy in mJ; None is unknown, never 0."""

    source: str
    event_id: str
    cluster_id: int
    node: str
    gpu_uuid: str
    instance: str
    reservation_id: int | None
    started_at: datetime
    ended_at: datetime
    active_ms: int | None
    energy_mj: int | None

    @property
    def seen_ms(self) -> int:
        return (self.ended_at - self.started_at) // timedelta(milliseconds=1)

    @property
    def digest(self) -> bytes:
        began = (self.started_at - _EPOCH) // _MOMENT
        told = (self.reservation_id, began, self.active_ms, self.energy_mj)
        return digest_of(told)


def digest_of(told: tuple[str | int | None, ...]) -> bytes:
    """Return sixteen bytes that differ where ``told`` differs; they are kept for good."""
    return hashlib.blake2b(repr(told).encode(), digest_size=16).digest()


def hour_of(started_at: datetime, ended_at: datetime) -> datetime:
    """Return the hour (UTC) in which a time ended; one that ends with the hour belongs to it."""
    last = max(started_at, ended_at - _MOMENT).astimezone(UTC)
    return last.replace(minute=0, second=0, microsecond=0)


def month_of(instant: datetime) -> date:
    """Return the first of the month (UTC) of ``instant``."""
    return instant.astimezone(UTC).date().replace(day=1)


def month_after(month: date) -> date:
    """Return the first of the month after ``month``."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def charged_month(hour: datetime, *, arrived_at: datetime, closed_before: date | None) -> date:
    """Return the first of the month that pays for ``hour``.

    It is the month of the hour, as long as that is not over for longer than `GRACE` and not
    closed; then it is the month in which the entry came, or the first that is not closed.
    ``closed_before`` is the first month that is not closed, None if none ever was.
    """
    own = month_of(hour)
    end = datetime.combine(month_after(own), datetime.min.time(), tzinfo=UTC)
    if arrived_at >= end + GRACE:
        own = month_of(arrived_at)
    return max(own, closed_before) if closed_before else own
