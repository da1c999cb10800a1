"""What can be had instead: windows with room, how far a booking can grow, other types.  Pure.

Every answer is one that admission accepts at the moment: what the calendar seems to allow is
placed before it is said.
"""

import enum
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from reservations import placement, policy
from reservations.capacity import Demand, Window
from reservations.placement import Held, NodeState

AT_MOST: Final = 5
SMALLER_AT_MOST: Final = 2
_MEBIBYTES: Final = 1024
_CORE: Final = 1000
# Shares are rounded to four places: seven sevenths may add up to a little over one.
_ROUNDING: Final = 0.01


def free_windows(
    nodes: Iterable[NodeState],
    *,
    resource_name: str,
    demand: Demand,
    within: Window,
    shortest: timedelta,
) -> list[Window]:
    """Return the longest windows in ``within`` that have room for it on one node throughout.

    By start; none shorter than ``shortest``, none inside another.  Two may overlap: each is of a
    node of its own, and a booking does not change nodes.
    """
    rooms = {
        room
        for state in nodes
        for room in state.room(resource_name, demand, within=within)
        if room.length >= shortest
    }
    found: list[Window] = []
    for room in sorted(rooms, key=lambda each: (each.starts_at, -each.length)):
        if not found or room.ends_at > found[-1].ends_at:
            found.append(room)
    return found


def first_fit(
    nodes: Sequence[NodeState],
    *,
    resource_name: str,
    demand: Demand,
    window: Window,
    latest: datetime,
) -> Window | None:
    """Return the earliest window of the same length, from ``window`` on, that has a place.

    Room appears only when a booking or a closure ends, so only those instants are tried; None when
    there is no place that starts by ``latest``.
    """
    within = Window(window.starts_at, max(latest, window.starts_at) + window.length)
    rooms = free_windows(
        nodes, resource_name=resource_name, demand=demand, within=within, shortest=window.length
    )
    for starts_at in _starts(nodes, rooms, window=window):
        candidate = Window(starts_at, starts_at + window.length)
        if placement.place(nodes, resource_name=resource_name, demand=demand, window=candidate):
            return candidate
    return None


def _starts(
    nodes: Iterable[NodeState], rooms: Sequence[Window], *, window: Window
) -> Iterator[datetime]:
    """Yield when it could start: with a room, or as a booking ends in one.  Mostly one is asked."""
    if not rooms:
        return
    yield rooms[0].starts_at
    ends = {each.booking.window.ends_at for state in nodes for each in state.held}
    for instant in sorted(ends | {room.starts_at for room in rooms}):
        long_enough = (
            room.starts_at <= instant and instant + window.length <= room.ends_at for room in rooms
        )
        if instant > rooms[0].starts_at and any(long_enough):
            yield instant


# --- how long it can be extended -----------------------------------------------------------------


class Bound(enum.StrEnum):
    """Why a booking cannot end any later."""

    LONGEST = "longest"
    BOOKED = "booked"
    CLOSED = "closed"
    OUT_OF_SERVICE = "out_of_service"
    OVER = "over"
    NOT_APPROVED = "not_approved"
    RULES = "rules"
    """Limits, the budget or what needs an approval allow no more."""


@dataclass(frozen=True, slots=True)
class Extension:
    """The latest end that a booking can have; it is the present one when none is possible."""

    until: datetime
    because: Bound


def longest_extension(state: NodeState, held: Held, *, at_most: datetime) -> Extension:
    """Return how late ``held``, a booking of that node, can end; rules allow ``at_most``."""
    booked, name = held.booking, held.resource_name
    ends_at = booked.window.ends_at
    if at_most <= ends_at:
        return Extension(ends_at, Bound.LONGEST)
    if not held.movable and not set(held.devices) <= set(state.devices.get(name, ())):
        return Extension(ends_at, Bound.OUT_OF_SERVICE)
    others = replace(state, held=tuple(each for each in state.held if each != held))
    since = booked.window.starts_at if held.movable else ends_at
    rooms = others.room(name, booked.demand, within=Window(since, at_most))
    first = rooms[0] if rooms and rooms[0].starts_at == since else Window(since, since)
    until = max(first.ends_at, ends_at)
    if until > ends_at and placement.stretch(state, held, until=until) is None:
        until = ends_at
    if until == at_most:
        return Extension(until, Bound.LONGEST)
    closed = any(each.starts_at <= until < each.ends_at for each in state.closed)
    return Extension(until, Bound.CLOSED if closed else Bound.BOOKED)


# --- the same work on other types ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """A type as work sees it: what one unit carries, and how many units a node has at most."""

    resource_name: str
    memory_mib: int
    compute_share: Decimal
    devices_per_node: int

    @property
    def memory_gb(self) -> int:
        """Its memory as it stands on the box: partitioning keeps a little of it for itself."""
        return max(1, int(self.memory_mib / _MEBIBYTES + 0.5))


@dataclass(frozen=True, slots=True)
class Alternative:
    """Something else that does the work: ``units`` of a type, in the first window with room.

    ``gpu_memory_gb`` is of all units together.  It ``is_smaller`` when that, or the compute, is
    less than what was asked for; then CPU and memory are less in proportion.
    """

    resource_name: str
    units: int
    window: Window
    demand: Demand
    gpu_memory_gb: int
    is_smaller: bool

    def __str__(self) -> str:
        smaller = ", less than you asked for" if self.is_smaller else ""
        return (
            f"{self.units} x {self.resource_name} "
            f"({self.gpu_memory_gb} GB of GPU memory{smaller}) "
            f"from {self.window.starts_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        )


def alternatives(
    nodes: Sequence[NodeState],
    kinds: Iterable[Kind],
    *,
    resource_name: str,
    demand: Demand,
    window: Window,
    latest: datetime,
) -> list[Alternative]:
    """Return what does the work of ``demand`` on other types, and what less can be had at once.

    As much GPU memory and compute, or more, on another type, from the first window that starts by
    ``latest``; and fewer units of any type in ``window`` itself.  By start; at most five.
    """
    by_name = {kind.resource_name: kind for kind in kinds}
    if resource_name not in by_name:
        return []
    asked, units = by_name.pop(resource_name), demand.devices
    same: list[Alternative] = []
    smaller = list(_smaller(nodes, asked, most=units - 1, asked=asked, demand=demand, at=window))
    for kind in by_name.values():
        needed = _units_for(units, asked, kind)
        found = None
        if needed <= kind.devices_per_node:
            wanted = replace(demand, devices=needed)
            found = first_fit(
                nodes,
                resource_name=kind.resource_name,
                demand=wanted,
                window=window,
                latest=latest,
            )
            if found is not None:
                same.append(_alternative(kind, wanted, found, is_smaller=False))
        if found != window:
            smaller += _smaller(nodes, kind, most=needed - 1, asked=asked, demand=demand, at=window)
    smaller.sort(key=lambda each: (-each.gpu_memory_gb, each.resource_name))
    return sorted([*same, *smaller[:SMALLER_AT_MOST]], key=_rank)[:AT_MOST]


def _units_for(units: int, asked: Kind, kind: Kind) -> int:
    by_memory = math.ceil(units * asked.memory_gb / kind.memory_gb)
    by_compute = math.ceil(float(units * asked.compute_share / kind.compute_share) - _ROUNDING)
    return max(by_memory, by_compute)


def _smaller(
    nodes: Sequence[NodeState],
    kind: Kind,
    *,
    most: int,
    asked: Kind,
    demand: Demand,
    at: Window,
) -> Iterator[Alternative]:
    """Yield the most units of ``kind`` that the window itself has room for, if any."""
    frees = [state.free(kind.resource_name, within=at) for state in nodes]
    total_gb = demand.devices * asked.memory_gb
    for units in range(min(most, kind.devices_per_node), 0, -1):
        wanted = _scaled(demand, units=units, part=min(1.0, units * kind.memory_gb / total_gb))
        if any(wanted.fits_in(free) for free in frees) and placement.place(
            nodes, resource_name=kind.resource_name, demand=wanted, window=at
        ):
            yield _alternative(kind, wanted, at, is_smaller=True)
            return


def _scaled(demand: Demand, *, units: int, part: float) -> Demand:
    """Return that part of CPU and memory, in whole cores and GiB; storage is per booking."""

    def of(number: int, step: int, least: int) -> int:
        return min(number, max(least, int(number * part) // step * step))

    return Demand(
        devices=units,
        cpu_millicores=of(demand.cpu_millicores, _CORE, policy.LEAST.cpu_millicores),
        memory_mib=of(demand.memory_mib, _MEBIBYTES, policy.LEAST.memory_mib),
        storage_gib=demand.storage_gib,
    )


def _alternative(kind: Kind, demand: Demand, window: Window, *, is_smaller: bool) -> Alternative:
    return Alternative(
        resource_name=kind.resource_name,
        units=demand.devices,
        window=window,
        demand=demand,
        gpu_memory_gb=demand.devices * kind.memory_gb,
        is_smaller=is_smaller,
    )


def _rank(each: Alternative) -> tuple[datetime, bool, int, str]:
    return each.window.starts_at, each.is_smaller, each.gpu_memory_gb, each.resource_name
