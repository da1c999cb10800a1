"""Which node, which devices: where a booking goes.  Pure.

All units of a booking lie on one node.  A node can take it when its peak use, with the new booking
in it, exceeds nothing.  Then devices are found for it, by moving bookings that have not started to
other devices of the node where fragmentation alone stands in the way: among intervals, sweeping by
start time, a free device always exists while the peak fits (interval graphs are perfect).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise, starmap
from typing import TypeAlias

from reservations.capacity import (
    QUANTITIES,
    Booking,
    Demand,
    Window,
    minus,
    peak,
    usage_over_time,
)

DeviceId: TypeAlias = int
ReservationId: TypeAlias = int


@dataclass(frozen=True, slots=True)
class Held:
    """A booking that stands: which devices it holds, and whether they may still be exchanged.

    A booking that has started is not ``movable``: its containers run on those devices.
    """

    reservation: ReservationId
    booking: Booking
    resource_name: str
    devices: tuple[DeviceId, ...]
    movable: bool


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node: what it has, and the bookings on it that overlap the time in question.

    ``devices`` are those in service, by type.  ``reported`` counts what the cluster shows of each
    type, None while nobody asked it: where the two differ, the smaller counts.  While the node is
    ``closed``, nothing of it can be booked.
    """

    node: int
    capacity: Demand  # of CPU, memory and storage; devices are counted by type below
    devices: Mapping[str, tuple[DeviceId, ...]]
    held: tuple[Held, ...]
    closed: tuple[Window, ...] = ()
    reported: Mapping[str, int] | None = None
    absent: Mapping[DeviceId, tuple[Window, ...]] = field(default_factory=dict)
    later: frozenset[DeviceId] = frozenset()

    def free(self, resource_name: str, *, within: Window) -> Demand:
        """Return the least that is free of anything at any instant of ``within``."""
        if any(closure.overlaps(within) for closure in self.closed):
            return Demand()
        return minus(
            self._all_of(resource_name, within),
            self._peak(self._in_service, resource_name, within),
        )

    def there(self, resource_name: str, *, within: Window) -> tuple[DeviceId, ...]:
        """Return the devices of the type that exist throughout ``within``."""
        return tuple(
            device
            for device in self.devices.get(resource_name, ())
            if not any(gone.overlaps(within) for gone in self.absent.get(device, ()))
        )

    def excess(self, resource_name: str, *, within: Window) -> Demand:
        """Return by how much the bookings exceed the node at some instant of ``within``."""
        found = [
            minus(self._peak(self.held, resource_name, era), self._all_of(resource_name, era))
            for era in self._eras(resource_name, within)
        ]
        return Demand(*(max(getattr(each, q) for each in found) for q in QUANTITIES))

    def room(self, resource_name: str, demand: Demand, *, within: Window) -> list[Window]:
        """Return the longest windows in ``within`` throughout which nothing stands in the way."""
        return [
            window
            for era in self._eras(resource_name, within)
            for window in self._room(resource_name, demand, era)
        ]

    def _room(self, resource_name: str, demand: Demand, within: Window) -> list[Window]:
        has = self._all_of(resource_name, within)
        everything = Demand(devices=has.devices + 1)
        taken = [
            *(_seen_from(resource_name, each) for each in self._in_service),
            *(Booking(closure, everything) for closure in self.closed),
        ]
        found: list[Window] = []
        since: datetime | None = None
        for instant, in_use in usage_over_time(taken, within=within):
            if not (in_use + demand).fits_in(has):
                if since is not None and since < instant:
                    found.append(Window(since, instant))
                since = None
            elif since is None:
                since = instant
        return found if since is None else [*found, Window(since, within.ends_at)]

    def _eras(self, resource_name: str, within: Window) -> Iterable[Window]:
        """Return ``within`` in parts, in each of which the devices of the type are the same."""
        cuts = {
            instant
            for device in self.devices.get(resource_name, ())
            for gone in self.absent.get(device, ())
            for instant in (gone.starts_at, gone.ends_at)
            if within.starts_at < instant < within.ends_at
        }
        instants = [within.starts_at, *sorted(cuts), within.ends_at]
        return starmap(Window, pairwise(instants))

    @property
    def _in_service(self) -> Iterable[Held]:
        """What is booked, without the devices that cannot be booked any more."""
        bookable = {device for ids in self.devices.values() for device in ids}
        for each in self.held:
            devices = sum(device in bookable for device in each.devices)
            if devices == each.booking.demand.devices:
                yield each
            else:
                demand = replace(each.booking.demand, devices=devices)
                yield replace(each, booking=replace(each.booking, demand=demand))

    def _all_of(self, resource_name: str, within: Window) -> Demand:
        there = self.there(resource_name, within=within)
        devices = len(there)
        if self.reported is not None:
            to_come = len(self.later.intersection(there))
            devices = min(devices, self.reported.get(resource_name, 0) + to_come)
        return Demand(
            devices=devices,
            cpu_millicores=self.capacity.cpu_millicores,
            memory_mib=self.capacity.memory_mib,
            storage_gib=self.capacity.storage_gib,
        )

    def _peak(self, held: Iterable[Held], resource_name: str, within: Window) -> Demand:
        return peak((_seen_from(resource_name, each) for each in held), within=within)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the new booking goes, and which standing ones change devices for it."""

    node: int
    devices: tuple[DeviceId, ...]
    moved: Mapping[ReservationId, tuple[DeviceId, ...]]


def place(
    nodes: Sequence[NodeState], *, resource_name: str, demand: Demand, window: Window
) -> Placement | None:
    """Return the best place for the booking, or None when no node has enough at some instant.

    Best fit: the node that has the fewest devices of the type to spare, then the least memory, so
    that large bookings find room later.
    """
    fitting = [
        (free.devices, free.memory_mib, state.node, state)
        for state in nodes
        if demand.fits_in(free := state.free(resource_name, within=window))
    ]
    for *_, state in sorted(fitting, key=lambda each: each[:3]):
        placed = _assign(state, resource_name=resource_name, units=demand.devices, window=window)
        if placed is not None:
            return placed
    return None


def stretch(state: NodeState, stretched: Held, *, until: datetime) -> Placement | None:
    """Return how a booking of the node stays on it until later, or None where that does not fit.

    One that has started keeps its devices, and bookings that have not are moved out of its way; of
    one that has not started the devices are exchanged like any other's.
    """
    others = replace(state, held=tuple(each for each in state.held if each != stretched))
    booked, name = stretched.booking, stretched.resource_name
    longer = Window(booked.window.starts_at, until)
    if stretched.movable:
        return place([others], resource_name=name, demand=booked.demand, window=longer)
    added = Window(booked.window.ends_at, until)
    in_service = set(stretched.devices) <= set(state.there(name, within=added))
    if not in_service or not booked.demand.fits_in(others.free(name, within=added)):
        return None
    same_type = [each for each in others.held if each.resource_name == name]
    in_the_way = any(
        each.booking.window.overlaps(added) and not set(each.devices).isdisjoint(stretched.devices)
        for each in same_type
    )
    if not in_the_way:
        return Placement(state.node, stretched.devices, moved={})
    kept = replace(stretched, booking=replace(booked, window=longer))
    moves = _recolour(state, name, [*same_type, kept], units=0, window=added)
    return moves and replace(moves, devices=stretched.devices)


def _seen_from(resource_name: str, held: Held) -> Booking:
    """Devices of another type do not count; CPU, memory and storage do."""
    if held.resource_name == resource_name:
        return held.booking
    return Booking(
        held.booking.window,
        Demand(
            cpu_millicores=held.booking.demand.cpu_millicores,
            memory_mib=held.booking.demand.memory_mib,
            storage_gib=held.booking.demand.storage_gib,
        ),
    )


def _assign(
    state: NodeState, *, resource_name: str, units: int, window: Window
) -> Placement | None:
    devices = state.there(resource_name, within=window)
    same_type = [held for held in state.held if held.resource_name == resource_name]
    taken = {d for held in same_type if held.booking.window.overlaps(window) for d in held.devices}
    free = [device for device in devices if device not in taken]
    if len(free) >= units:
        return Placement(state.node, tuple(_snuggest(free, same_type, window)[:units]), moved={})
    return _recolour(state, resource_name, same_type, units=units, window=window)


def _snuggest(free: Iterable[DeviceId], held: Iterable[Held], window: Window) -> list[DeviceId]:
    """Return the devices, first those whose last booking ends closest before the window."""
    idle_since: dict[DeviceId, datetime] = {}
    for each in held:
        if each.booking.window.ends_at <= window.starts_at:
            for device in each.devices:
                before = idle_since.get(device, each.booking.window.ends_at)
                idle_since[device] = max(before, each.booking.window.ends_at)
    used = [device for device in free if device in idle_since]
    unused = [device for device in free if device not in idle_since]
    return [*sorted(used, key=lambda device: idle_since[device], reverse=True), *unused]


def _recolour(
    state: NodeState,
    resource_name: str,
    held: Sequence[Held],
    *,
    units: int,
    window: Window,
) -> Placement | None:
    """Give every movable booking, and the new one, devices anew, sweeping by start time.

    A booking keeps its devices where they are free.  What has started keeps its own in any case.
    None when a booking finds too few.  Only a booking that counts as started, but starts later than
    a movable one, can cause that: two processes whose clocks differ.
    """
    devices = state.devices.get(resource_name, ())
    busy: list[tuple[Window, tuple[DeviceId, ...]]] = [
        *((each.booking.window, each.devices) for each in held if not each.movable),
        *((gone, (device,)) for device in devices for gone in state.absent.get(device, ())),
    ]
    new = Held(-1, Booking(window, Demand(devices=units)), "", (), movable=True)
    moved: dict[ReservationId, tuple[DeviceId, ...]] = {}
    chosen: tuple[DeviceId, ...] = ()
    for each in sorted(
        [new, *(h for h in held if h.movable)],
        key=lambda h: (h.booking.window.starts_at, h.reservation),
    ):
        taken = {d for other, ds in busy if other.overlaps(each.booking.window) for d in ds}
        keeps = [d for d in each.devices if d not in taken]
        others = [d for d in devices if d not in taken and d not in each.devices]
        got = tuple([*keeps, *others][: each.booking.demand.devices])
        if len(got) < each.booking.demand.devices:
            return None
        busy.append((each.booking.window, got))
        if each is new:
            chosen = got
        elif set(got) != set(each.devices):
            moved[each.reservation] = got
    return Placement(state.node, chosen, moved)
