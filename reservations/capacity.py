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
    # Sums of four plain numbers: a pool in use has thousands of changes.
    change_at: defaultdict[datetime, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    since, until = within.starts_at, within.ends_at
    change_at[since]
    for booking in bookings:
        window, demand = booking.window, booking.demand
        if window.starts_at >= until or window.ends_at <= since:
            continue
        much = (demand.devices, demand.cpu_millicores, demand.memory_mib, demand.storage_gib)
        begun = change_at[max(window.starts_at, since)]
        for index, number in enumerate(much):
            begun[index] += number
        if window.ends_at < until:
            ended = change_at[window.ends_at]
            for index, number in enumerate(much):
                ended[index] -= number
    in_use = [0, 0, 0, 0]
    for instant in sorted(change_at):
        for index, number in enumerate(change_at[instant]):
            in_use[index] += number
        yield instant, Demand(*in_use)


def peak(bookings: Iterable[Booking], *, within: Window) -> Demand:
    """Return, for each quantity, the most in use at any one instant of ``within``."""
    usages = [usage for _, usage in usage_over_time(bookings, within=within)]
    return Demand(*(max(getattr(usage, q) for usage in usages) for q in QUANTITIES))


def minus(capacity: Demand, used: Demand) -> Demand:
    """Return what is left, never below zero (capacity may have shrunk under its bookings)."""
    return Demand(*(max(0, getattr(capacity, q) - getattr(used, q)) for q in QUANTITIES))
