"""`reservations.placement`, against an hour-by-hour oracle that tries everything."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservations.answers import first_fit
from reservations.capacity import QUANTITIES, Booking, Demand, Window
from reservations.placement import Held, NodeState, Placement, place
from tests import make
from tests.make import GPU, SLICE

NODES: Mapping[int, Mapping[str, tuple[int, ...]]] = {
    1: {SLICE: (11, 12, 13), GPU: (14,)},
    2: {SLICE: (21, 22), GPU: (23, 24)},
}
CAPACITY = Demand(cpu_millicores=6, memory_mib=8, storage_gib=6)
LAST_HOUR = 24


def held(
    number: int,
    hours: tuple[float, float],
    *devices: int,
    movable: bool = True,
    resource_name: str = SLICE,
    demand: Demand | None = None,
) -> Held:
    return Held(
        reservation=number,
        booking=Booking(make.window(*hours), demand or Demand(devices=len(devices))),
        resource_name=resource_name,
        devices=devices,
        movable=movable,
    )


def node(
    *bookings: Held, number: int = 1, slices: int = 2, capacity: Demand = CAPACITY
) -> NodeState:
    devices = {SLICE: tuple(range(number * 10, number * 10 + slices))}
    return NodeState(node=number, capacity=capacity, devices=devices, held=bookings)


def place_one(*nodes: NodeState, hours: tuple[float, float] = (0, 4), units: int = 1) -> Placement:
    placed = place(
        nodes, resource_name=SLICE, demand=Demand(devices=units), window=make.window(*hours)
    )
    assert placed is not None
    return placed


# --- cases by hand -----------------------------------------------------------------------------


def test_an_empty_node_takes_what_it_has() -> None:
    placed = place_one(node(slices=2), units=2)

    assert (placed.node, set(placed.devices), placed.moved) == (1, {10, 11}, {})


def test_a_full_node_takes_nothing() -> None:
    full = node(held(1, (3, 5), 10, 11))

    wanted = {"resource_name": SLICE, "demand": Demand(devices=1)}
    assert place([full], window=make.window(0, 4), **wanted) is None  # type: ignore[arg-type]
    assert place([full], window=make.window(0, 3), **wanted) is not None  # type: ignore[arg-type]


def test_a_pool_without_nodes_takes_nothing() -> None:
    assert (
        place([], resource_name=SLICE, demand=Demand(devices=1), window=make.window(0, 1)) is None
    )


def test_a_type_the_node_has_not_is_not_found_there() -> None:
    assert (
        place([node()], resource_name=GPU, demand=Demand(devices=1), window=make.window(0, 1))
        is None
    )


def test_the_units_of_one_booking_lie_on_one_node() -> None:
    halves = [node(held(1, (0, 9), 10)), node(held(2, (0, 9), 20), number=2)]

    assert (
        place(halves, resource_name=SLICE, demand=Demand(devices=2), window=make.window(0, 1))
        is None
    )


@pytest.mark.parametrize("quantity", ["cpu_millicores", "memory_mib", "storage_gib"])
def test_other_types_count_for_everything_but_devices(quantity: str) -> None:
    other = held(1, (0, 4), 99, resource_name=GPU, demand=Demand(1, **{quantity: 4}))

    def fits(number: int) -> bool:
        demand = Demand(devices=2, **{quantity: number})
        window = make.window(0, 4)
        return place([node(other)], resource_name=SLICE, demand=demand, window=window) is not None

    rest = getattr(CAPACITY, quantity) - 4
    assert fits(rest)
    assert not fits(rest + 1)


def test_the_fuller_node_is_preferred() -> None:
    roomy, fuller = node(slices=3), node(held(1, (0, 4), 20), number=2, slices=3)

    assert place_one(roomy, fuller).node == 2


def test_of_equally_full_nodes_the_one_with_less_memory_is_preferred() -> None:
    big = node(capacity=replace(CAPACITY, memory_mib=100))
    small = node(number=2, capacity=replace(CAPACITY, memory_mib=50))

    assert place_one(big, small).node == 2


def test_the_device_that_was_busy_last_is_preferred() -> None:
    # So that the gaps between bookings stay small and long windows find a whole device.
    state = node(held(1, (0, 1), 10), held(2, (0, 3), 11), slices=3)

    assert place_one(state, hours=(4, 5)).devices == (11,)


def test_fragmentation_is_resolved_by_moving_what_has_not_started() -> None:
    # Two devices, each busy for one half of the window, never both: one is always free, but not
    # the same one.
    state = node(held(1, (0, 2), 10), held(2, (2, 4), 11))

    placed = place_one(state, hours=(0, 4))

    assert placed.moved in ({1: (11,)}, {2: (10,)})
    assert placed.devices == ((10,) if 1 in placed.moved else (11,))


def test_what_has_started_is_not_moved() -> None:
    state = node(held(1, (0, 2), 10, movable=False), held(2, (2, 4), 11))

    placed = place_one(state, hours=(0, 4))

    assert (placed.devices, placed.moved) == ((11,), {2: (10,)})


def test_only_the_bookings_that_must_change_devices_do() -> None:
    bystander = held(3, (6, 8), 10)
    state = node(held(1, (0, 2), 10, movable=False), held(2, (2, 4), 11), bystander)

    assert set(place_one(state, hours=(0, 4)).moved) == {2}


def test_a_node_that_a_retired_device_left_without_room_takes_nothing() -> None:
    odd = node(held(1, (0, 4), 10, movable=False), held(2, (4, 8), 11, movable=False))

    placed = place([odd], resource_name=SLICE, demand=Demand(devices=1), window=make.window(0, 8))

    # Two bookings that both count as started cannot both be later than now; a clock that differs
    # between processes can make it look so.
    assert placed is None


def test_another_node_is_tried_when_the_best_has_no_device_after_all() -> None:
    stuck = node(held(1, (0, 4), 10, movable=False), held(2, (4, 8), 11, movable=False))
    roomy = node(number=2, slices=3)

    assert place_one(stuck, roomy, hours=(0, 8)).node == 2


def test_a_booking_on_a_retired_device_stays_there_while_others_are_moved() -> None:
    state = node(held(1, (0, 2), 10), held(2, (2, 4), 11), held(3, (6, 8), 99))

    assert 3 not in place_one(state, hours=(0, 4)).moved


# --- the first fit -----------------------------------------------------------------------------


def offer(*nodes: NodeState, latest: float = 100, units: int = 1) -> Window | None:
    return first_fit(
        nodes,
        resource_name=SLICE,
        demand=Demand(devices=units),
        window=make.window(0, 4),
        latest=make.at(latest),
    )


def test_the_wanted_window_is_offered_if_it_fits() -> None:
    assert offer(node()) == make.window(0, 4)


def test_the_first_gap_that_is_long_enough_is_offered() -> None:
    state = node(held(1, (0, 2), 10), held(2, (5, 8), 10), slices=1)

    assert offer(state) == make.window(8, 12)


def test_the_gap_may_be_on_any_node() -> None:
    assert offer(
        node(held(1, (0, 9), 10), slices=1), node(held(2, (0, 6), 20), number=2, slices=1)
    ) == make.window(6, 10)


def test_nothing_is_offered_later_than_asked() -> None:
    state = node(held(1, (0, 6), 10), slices=1)

    assert offer(state, latest=6) == make.window(6, 10)
    assert offer(state, latest=5) is None


def test_what_never_fits_is_never_offered() -> None:
    assert offer(node(), units=3) is None


def test_an_offer_is_one_that_can_be_placed() -> None:
    stuck = node(held(1, (0, 2), 10, movable=False), held(2, (2, 4), 11, movable=False))

    assert offer(stuck) == make.window(2, 6)


# --- everything, against the oracle ------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    resource_name: str
    demand: Demand
    starts_in: int
    hours: int


wishes = st.builds(
    Wanted,
    resource_name=st.sampled_from([SLICE, SLICE, SLICE, GPU]),
    demand=st.builds(
        Demand,
        devices=st.integers(1, 2),
        cpu_millicores=st.integers(0, 2),
        memory_mib=st.integers(0, 2),
        storage_gib=st.integers(0, 1),
    ),
    starts_in=st.integers(0, 8),
    hours=st.integers(1, 6),
)
# Between two wishes time passes, and some booking is given back.
histories = st.lists(
    st.tuples(wishes, st.integers(0, 2), st.none() | st.integers(0, 9)), min_size=1, max_size=14
)


@dataclass(frozen=True)
class Booked:
    node: int
    resource_name: str
    hours: range
    demand: Demand
    devices: tuple[int, ...]


class Calendar:
    """What stands, kept as simply as can be."""

    def __init__(self) -> None:
        self.now = 0
        self.booked: dict[int, Booked] = {}
        self.serial = itertools.count(1)

    def states(self) -> list[NodeState]:
        return [
            NodeState(
                node=number,
                capacity=CAPACITY,
                devices=devices,
                held=tuple(
                    held(
                        key,
                        (each.hours.start, each.hours.stop),
                        *each.devices,
                        movable=each.hours.start > self.now,
                        resource_name=each.resource_name,
                        demand=each.demand,
                    )
                    for key, each in self.booked.items()
                    if each.node == number and each.hours.stop > self.now
                ),
            )
            for number, devices in NODES.items()
        ]

    def fits(self, number: int, wanted: Wanted, hours: range) -> bool:
        return all(
            self.left(number, wanted.resource_name, hour, q) >= getattr(wanted.demand, q)
            for hour in hours
            for q in QUANTITIES
        )

    def left(self, number: int, resource_name: str, hour: int, quantity: str) -> int:
        used: int = sum(
            getattr(each.demand, quantity)
            for each in self.booked.values()
            if each.node == number
            and hour in each.hours
            and (quantity != "devices" or each.resource_name == resource_name)
        )
        if quantity == "devices":
            return len(NODES[number][resource_name]) - used
        return int(getattr(CAPACITY, quantity)) - used

    def spare_devices(self, number: int, wanted: Wanted, hours: range) -> int:
        return min(self.left(number, wanted.resource_name, hour, "devices") for hour in hours)

    def check(self) -> None:
        for each in self.booked.values():
            assert len(set(each.devices)) == each.demand.devices
            assert set(each.devices) <= set(NODES[each.node][each.resource_name])
        for one, other in itertools.combinations(self.booked.values(), 2):
            if set(one.hours) & set(other.hours):
                assert not set(one.devices) & set(other.devices)


@given(histories)
def test_whatever_fits_is_placed_and_nothing_is_ever_held_twice(
    history: list[tuple[Wanted, int, int | None]],
) -> None:
    calendar = Calendar()
    for wanted, hours_pass, given_back in history:
        starts_at = calendar.now + wanted.starts_in
        hours = range(starts_at, starts_at + wanted.hours)
        fitting = [number for number in NODES if calendar.fits(number, wanted, hours)]

        placed = place(
            calendar.states(),
            resource_name=wanted.resource_name,
            demand=wanted.demand,
            window=make.window(hours.start, hours.stop),
        )

        assert (placed is not None) == bool(fitting)
        if placed is not None:
            assert calendar.spare_devices(placed.node, wanted, hours) == min(
                calendar.spare_devices(number, wanted, hours) for number in fitting
            )
            for key, devices in placed.moved.items():
                assert calendar.booked[key].hours.start > calendar.now
                assert calendar.booked[key].node == placed.node
                calendar.booked[key] = replace(calendar.booked[key], devices=devices)
            calendar.booked[next(calendar.serial)] = Booked(
                placed.node, wanted.resource_name, hours, wanted.demand, placed.devices
            )
        calendar.check()
        if given_back is not None:
            calendar.booked.pop(given_back, None)
        calendar.now += hours_pass


@given(histories, wishes)
def test_the_first_fit_is_the_first_hour_at_which_the_oracle_finds_room(
    history: list[tuple[Wanted, int, int | None]], wanted: Wanted
) -> None:
    calendar = Calendar()
    for each, _, _ in history:
        hours = range(each.starts_in, each.starts_in + each.hours)
        placed = place(
            calendar.states(),
            resource_name=each.resource_name,
            demand=each.demand,
            window=make.window(hours.start, hours.stop),
        )
        if placed is not None:
            for key, devices in placed.moved.items():
                calendar.booked[key] = replace(calendar.booked[key], devices=devices)
            calendar.booked[next(calendar.serial)] = Booked(
                placed.node, each.resource_name, hours, each.demand, placed.devices
            )
    expected = next(
        (
            make.window(start, start + wanted.hours)
            for start in range(wanted.starts_in, LAST_HOUR)
            if any(
                calendar.fits(number, wanted, range(start, start + wanted.hours))
                for number in NODES
            )
        ),
        None,
    )

    found = first_fit(
        calendar.states(),
        resource_name=wanted.resource_name,
        demand=wanted.demand,
        window=make.window(wanted.starts_in, wanted.starts_in + wanted.hours),
        latest=make.at(LAST_HOUR),
    )

    assert found == expected
