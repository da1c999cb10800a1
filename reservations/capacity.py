"""How much is in use, and when: windows, demands and sweeps over time.  Pure.

Capacity is measured at instants, never by adding up: two bookings that overlap a window but not
each other never run together.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

QUANTITIES: Final = ("devices", "cpu_millicores", "memory_mib", "storage_gib")


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open period: ``starts_at <= t < ends_at``.  Aware, UTC."""

    starts_at: datetime
    ends_at: datetime

    @property
    def length(self) -> timedelta:
        return self.ends_at - self.starts_at

    def overlaps(self, other: "Window") -> bool:
        """Return whether some instant lies in both; windows that only touch do not overlap."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


@dataclass(frozen=True, slots=True)
class Demand:
    """What a booking takes from one node: whole devices of one type, and shares of the rest."""

    devices: int = 0
    cpu_millicores: int = 0
    memory_mib: int = 0
    storage_gib: int = 0

    def __add__(self, other: "Demand") -> "Demand":
        return Demand(*(getattr(self, q) + getattr(other, q) for q in QUANTITIES))

    def __neg__(self) -> "Demand":
        return Demand(*(-getattr(self, q) for q in QUANTITIES))

    def fits_in(self, capacity: "Demand") -> bool:
        """Return whether no quantity exceeds ``capacity``'s."""
        return all(getattr(self, q) <= getattr(capacity, q) for q in QUANTITIES)


NOTHING: Final = Demand()


@dataclass(frozen=True, slots=True)
class Booking:
    """A demand for a window."""

    window: Window
    demand: Demand


def usage_over_time(
    bookings: Iterable[Booking], *, within: Window
) -> Iterator[tuple[datetime, Demand]]:
    """Yield ``(instant, usage from then on)`` for every change, from the window's start."""
    change_at: defaultdict[datetime, Demand] = defaultdict(Demand)
    change_at[within.starts_at] = NOTHING
    for booking in bookings:
        if booking.window.overlaps(within):
            starts_at = max(booking.window.starts_at, within.starts_at)
            change_at[starts_at] += booking.demand
            if booking.window.ends_at < within.ends_at:
                change_at[booking.window.ends_at] += -booking.demand
    in_use = NOTHING
    for instant in sorted(change_at):
        in_use += change_at[instant]
        yield instant, in_use


def peak(bookings: Iterable[Booking], *, within: Window) -> Demand:
    """Return, for each quantity, the most in use at any one instant of ``within``."""
    usages = [usage for _, usage in usage_over_time(bookings, within=within)]
    return Demand(*(max(getattr(usage, q) for usage in usages) for q in QUANTITIES))


def minus(capacity: Demand, used: Demand) -> Demand:
    """Return what is left, never below zero (capacity may have shrunk under its bookings)."""
    return Demand(*(max(0, getattr(capacity, q) - getattr(used, q)) for q in QUANTITIES))
