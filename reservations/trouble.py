"""Which bookings cannot be kept where they are, and why.  Pure.

Hardware fails, is drained, closed or smaller than it was, all of it under bookings that count on
it.  What runs cannot be moved: it is in trouble only where its hardware is gone, or will be closed
before it ends.  What has not started is in trouble as soon as it could not be booked there today.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from reservations.capacity import Demand, Window
from reservations.placement import Held, NodeState, Placement, ReservationId, place

# A node that does not answer comes back most of the time: bookings further ahead wait for it.
NOT_READY_MATTERS_FOR: Final = timedelta(minutes=15)


class Cause(enum.StrEnum):
    """Why a booking is in trouble; also the code that programs see."""

    DEVICE = "device_out_of_service"
    NODE = "node_out_of_service"
    CLOSED = "closed"
    SHORT = "less_than_booked"


@dataclass(frozen=True, slots=True)
class Grade:
    """What people get with one unit of a type on a node, apart from its name."""

    product: str
    memory_mib: int
    slots: int

    def is_as_good_as(self, other: "Grade") -> bool:
        """Return whether nobody would notice that they got this instead of ``other``."""
        same = self.product == other.product
        return same and self.memory_mib >= other.memory_mib and self.slots >= other.slots


@dataclass(frozen=True, slots=True)
class Ground:
    """One node, as the bookings on it stand on it.

    ``is_open``: it can be booked at all.  ``broken`` are the devices that cannot even be used any
    more.  ``is_gone``: the cluster shows no device of it.  ``grades`` are by type, of what can be
    booked, and ``promised`` of what could when everything was well.
    """

    state: NodeState
    is_open: bool = True
    is_ready: bool = True
    is_gone: bool = False
    broken: frozenset[int] = frozenset()
    grades: Mapping[str, Grade] = field(default_factory=dict)
    promised: Mapping[str, Grade] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One booking that cannot stay; ``closure`` is the first that is in its way, if one is."""

    node: int
    held: Held
    has_started: bool
    cause: Cause
    closure: Window | None = None


def troubles(
    grounds: Iterable[Ground], *, started: frozenset[ReservationId], now: datetime
) -> list[Trouble]:
    """Return the bookings in trouble, in start order.  ``started`` are those that run."""
    found = [each for ground in grounds for each in _on(ground, started=started, now=now)]
    return sorted(
        found, key=lambda each: (each.held.booking.window.starts_at, each.held.reservation)
    )


def rest_of(window: Window, *, now: datetime) -> Window:
    """Return what is still to come of a window that is not over."""
    return Window(max(window.starts_at, now), window.ends_at)


def place_anew(grounds: Sequence[Ground], trouble: Trouble, *, now: datetime) -> Placement | None:
    """Return where the booking can go without a change its people would notice, or None.

    It wants the same of the same type for what is left of its window.  The other bookings on the
    nodes stay there; those that have not started may exchange devices.
    """
    held, window = trouble.held, rest_of(trouble.held.booking.window, now=now)
    name = held.resource_name
    before = next((g.promised.get(name) for g in grounds if g.state.node == trouble.node), None)
    suited = [
        _without(ground.state, held.reservation)
        for ground in grounds
        if ground.is_open
        and (ground.is_ready or not _is_near(window, now))
        and (before is None or ((grade := ground.grades.get(name)) and grade.is_as_good_as(before)))
    ]
    return place(suited, resource_name=name, demand=held.booking.demand, window=window)


def _on(ground: Ground, *, started: frozenset[ReservationId], now: datetime) -> Iterator[Trouble]:
    """Yield what is in trouble on one node."""
    well: list[Held] = []
    for held in ground.state.held:
        if held.booking.window.ends_at <= now:
            continue
        has_started = held.reservation in started
        cause, closure = _cause(ground, held, has_started=has_started, now=now)
        if cause is None:
            well.append(held)
        else:
            yield Trouble(ground.state.node, held, has_started, cause, closure)
    for held in _too_many(ground.state, well, started=started, now=now):
        yield Trouble(ground.state.node, held, has_started=False, cause=Cause.SHORT)


def _cause(
    ground: Ground, held: Held, *, has_started: bool, now: datetime
) -> tuple[Cause | None, Window | None]:
    window = rest_of(held.booking.window, now=now)
    if ground.broken.intersection(held.devices):
        return Cause.DEVICE, None
    if ground.is_gone:
        return Cause.NODE, None
    if not has_started:
        if not ground.is_open or (not ground.is_ready and _is_near(window, now)):
            return Cause.NODE, None
        if not set(held.devices) <= set(ground.state.devices.get(held.resource_name, ())):
            return Cause.DEVICE, None
    closures = [each for each in sorted(ground.state.closed) if each.overlaps(window)]
    return (Cause.CLOSED, closures[0]) if closures else (None, None)


def _is_near(window: Window, now: datetime) -> bool:
    return window.starts_at <= now + NOT_READY_MATTERS_FOR


def _too_many(
    state: NodeState,
    booked: Sequence[Held],
    *,
    started: frozenset[ReservationId],
    now: datetime,
) -> Iterator[Held]:
    """Yield those that are more than the node has: who runs stays, then who starts first."""
    whole = Window(now, max((each.booking.window.ends_at for each in booked), default=now))
    state = replace(state, held=tuple(booked), closed=())
    names = {each.resource_name for each in booked}
    if all(state.excess(name, within=whole) == Demand() for name in names):
        return
    kept = [each for each in booked if each.reservation in started]
    waiting = [each for each in booked if each.reservation not in started]
    for each in sorted(waiting, key=lambda h: (h.booking.window.starts_at, h.reservation)):
        window = rest_of(each.booking.window, now=now)
        free = replace(state, held=tuple(kept)).free(each.resource_name, within=window)
        if each.booking.demand.fits_in(free):
            kept.append(each)
        else:
            yield each


def _without(state: NodeState, reservation: ReservationId) -> NodeState:
    return replace(
        state, held=tuple(each for each in state.held if each.reservation != reservation)
    )
