"""`reservations.answers`, against an oracle that counts hour by hour and tries everything."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservations.answers import (
    Alternative,
    Bound,
    Extension,
    Kind,
    alternatives,
    first_fit,
    free_windows,
    longest_extension,
)
from reservations.capacity import QUANTITIES, Booking, Demand, Window
from reservations.placement import Held, NodeState, place, stretch
from tests import make
from tests.make import GPU, SLICE

HOUR = timedelta(hours=1)
LAST_HOUR = 12
CAPACITY = Demand(cpu_millicores=6_000, memory_mib=8 * 1024, storage_gib=60)
KINDS = (
    Kind(GPU, 97_887, Decimal(1), 1),
    Kind(SLICE, 24_064, Decimal("0.25"), 4),
)


def held(number: int, first: float, last: float, *devices: int, name: str = SLICE) -> Held:
    return Held(
        number,
        Booking(make.window(first, last), Demand(len(devices), 1_000, 1024, 10)),
        name,
        devices,
        movable=first > 0,
    )


def node(
    *bookings: Held,
    number: int = 1,
    slices: int = 2,
    gpus: int = 1,
    closed: tuple[Window, ...] = (),
    reported: Mapping[str, int] | None = None,
) -> NodeState:
    first = number * 10
    devices = {
        SLICE: tuple(range(first, first + slices)),
        GPU: tuple(range(first + 8, first + 8 + gpus)),
    }
    return NodeState(number, CAPACITY, devices, bookings, closed, reported)


def wanted(units: int = 1) -> Demand:
    return Demand(units, 1_000, 1024, 10)


def windows(*nodes: NodeState, units: int = 1, shortest: timedelta = HOUR) -> list[Window]:
    return free_windows(
        nodes,
        resource_name=SLICE,
        demand=wanted(units),
        within=make.window(0, LAST_HOUR),
        shortest=shortest,
    )


# --- free windows, by hand ---------------------------------------------------------------------


def test_an_empty_node_is_free_throughout() -> None:
    assert windows(node()) == [make.window(0, LAST_HOUR)]


def test_gaps_between_bookings_are_the_free_windows() -> None:
    full = node(held(1, 0, 2, 10, 11), held(2, 5, 6, 10, 11))

    assert windows(full) == [make.window(2, 5), make.window(6, LAST_HOUR)]


def test_touching_bookings_leave_no_gap() -> None:
    assert windows(node(held(1, 0, 2, 10), held(2, 2, 4, 10), slices=1)) == [
        make.window(4, LAST_HOUR)
    ]


def test_a_window_in_which_the_node_would_change_is_two() -> None:
    first, second = node(held(1, 4, 12, 10), slices=1), node(held(2, 0, 3, 20), number=2, slices=1)

    assert windows(first, second) == [make.window(0, 4), make.window(3, 12)]


def test_a_window_inside_another_is_not_listed() -> None:
    assert windows(node(held(1, 5, 12, 10), slices=1), node(number=2)) == [
        make.window(0, LAST_HOUR)
    ]


def test_gaps_that_are_too_short_are_left_out() -> None:
    full = node(held(1, 0, 2, 10, 11), held(2, 4, 6, 10, 11))

    assert windows(full, shortest=3 * HOUR) == [make.window(6, LAST_HOUR)]


def test_nothing_is_free_while_it_is_closed() -> None:
    closed = node(closed=(make.window(2, 4), make.window(3, 5)))

    assert windows(closed) == [make.window(0, 2), make.window(5, LAST_HOUR)]


def test_what_the_cluster_does_not_report_is_not_free() -> None:
    assert windows(node(reported={SLICE: 1}), units=2) == []


def test_a_started_booking_that_is_in_the_way_of_a_device_is_told_apart_from_room() -> None:
    # Counted there is room, but two bookings that both count as started hold a device each.
    odd = node(replace(held(1, 0, 2, 10), movable=False), replace(held(2, 2, 4, 11), movable=False))

    assert first_fit(
        [odd],
        resource_name=SLICE,
        demand=wanted(),
        window=make.window(0, 4),
        latest=make.at(LAST_HOUR),
    ) == make.window(2, 6)


def test_where_only_that_is_in_the_way_to_the_end_nothing_is_offered() -> None:
    odd = node(replace(held(1, 0, 2, 10), movable=False), replace(held(2, 2, 4, 11), movable=False))

    assert (
        first_fit(
            [odd],
            resource_name=SLICE,
            demand=wanted(),
            window=make.window(0, 4),
            latest=make.at(1),
        )
        is None
    )


# --- extensions, by hand -----------------------------------------------------------------------


def extension(state: NodeState, number: int = 1, at_most: float = LAST_HOUR) -> Extension:
    (found,) = (each for each in state.held if each.reservation == number)
    return longest_extension(state, found, at_most=make.at(at_most))


def test_nothing_in_the_way_it_can_be_as_long_as_rules_allow() -> None:
    assert extension(node(held(1, 0, 2, 10))) == Extension(make.at(LAST_HOUR), Bound.LONGEST)


def test_one_that_is_as_long_as_rules_allow_stays() -> None:
    assert extension(node(held(1, 0, 2, 10)), at_most=1) == Extension(make.at(2), Bound.LONGEST)


@pytest.mark.parametrize(("next_start", "until"), [(2, 2), (5, 5)])
def test_it_can_be_extended_up_to_the_next_booking(next_start: int, until: int) -> None:
    state = node(held(1, 0, 2, 10), held(2, next_start, 9, 10), slices=1)

    assert extension(state) == Extension(make.at(until), Bound.BOOKED)


def test_a_booking_that_has_not_started_makes_way_where_another_device_is_free() -> None:
    state = node(held(1, 0, 2, 10), held(2, 3, 9, 10))

    assert extension(state).until == make.at(LAST_HOUR)
    moved = stretch(state, state.held[0], until=make.at(LAST_HOUR))
    assert moved is not None
    assert (moved.devices, moved.moved) == ((10,), {2: (11,)})


def test_a_closure_bounds_it_and_is_named() -> None:
    state = node(held(1, 0, 2, 10), closed=(make.window(6, 7),))

    assert extension(state) == Extension(make.at(6), Bound.CLOSED)


def test_cpu_that_others_booked_bounds_it_too() -> None:
    other = replace(
        held(2, 4, 6, 18, name=GPU),
        booking=Booking(make.window(4, 6), Demand(1, 5_500, 1024, 10)),
    )

    assert extension(node(held(1, 0, 2, 10), other)) == Extension(make.at(4), Bound.BOOKED)


def test_a_started_booking_on_a_device_out_of_service_is_not_extended() -> None:
    assert extension(node(held(1, 0, 2, 99))) == Extension(make.at(2), Bound.OUT_OF_SERVICE)
    assert stretch(node(held(1, 0, 2, 99)), held(1, 0, 2, 99), until=make.at(3)) is None


def test_one_that_has_not_started_may_change_devices_itself() -> None:
    state = node(held(1, 1, 3, 10), held(2, 0, 2, 11), held(3, 4, 9, 10), held(4, 2, 4, 11))

    assert extension(state) == Extension(make.at(LAST_HOUR), Bound.LONGEST)


def test_where_clocks_differ_no_more_is_promised_than_can_be_placed() -> None:
    # Both of the others count as started and stay: counted there is room until 4.
    state = node(
        held(1, 1, 2, 10),
        replace(held(2, 0, 1, 10), movable=False),
        replace(held(3, 2, 4, 10), movable=False),
        replace(held(4, 0, 2, 11), movable=False),
    )

    assert extension(state, at_most=4) == Extension(make.at(2), Bound.BOOKED)


# --- other types, by hand ----------------------------------------------------------------------


def offers(*nodes: NodeState, name: str = GPU, units: int = 1) -> list[Alternative]:
    return alternatives(
        nodes,
        KINDS,
        resource_name=name,
        demand=Demand(units, 4_000, 4 * 1024, 10),
        window=make.window(0, 2),
        latest=make.at(LAST_HOUR),
    )


def test_four_slices_do_the_work_of_a_whole_gpu() -> None:
    (offer,) = offers(node(held(1, 0, 5, 18, name=GPU), slices=4))

    assert (offer.resource_name, offer.units, offer.gpu_memory_gb) == (SLICE, 4, 96)
    assert (offer.window, offer.is_smaller) == (make.window(0, 2), False)
    assert offer.demand == Demand(4, 4_000, 4 * 1024, 10)


def test_two_slices_now_or_four_at_the_end_of_the_day() -> None:
    state = node(held(1, 0, 9, 18, name=GPU), held(2, 0, 6, 10, 11), slices=4)

    less, later = offers(state)

    assert str(less) == (
        "2 x nvidia.com/mig-1g.24gb (48 GB of GPU memory, less than you asked for) "
        "from 2026-03-01 12:00 UTC"
    )
    assert less.demand == Demand(2, 2_000, 2 * 1024, 10)
    assert str(later) == (
        "4 x nvidia.com/mig-1g.24gb (96 GB of GPU memory) from 2026-03-01 18:00 UTC"
    )


def test_a_whole_gpu_does_the_work_of_slices_and_more() -> None:
    whole, fewer = offers(node(held(1, 0, 3, 10, 11), slices=3), name=SLICE, units=3)

    assert (fewer.resource_name, fewer.units, fewer.is_smaller) == (SLICE, 1, True)
    assert (whole.resource_name, whole.units, whole.gpu_memory_gb) == (GPU, 1, 96)


def test_what_no_node_has_enough_of_is_offered_as_less_or_not_at_all() -> None:
    (less,) = offers(node(slices=4, gpus=0), units=2)

    assert (less.units, less.is_smaller) == (4, True)
    assert offers(node(slices=0, gpus=0)) == []


def test_a_type_the_pool_has_not_has_no_alternatives() -> None:
    assert offers(node(), name="nvidia.com/unknown") == []


def test_sevenths_that_were_rounded_up_still_make_one_gpu() -> None:
    kinds = (Kind(GPU, 81_920, Decimal(1), 4), Kind(SLICE, 10_240, Decimal("0.1429"), 7))

    found = alternatives(
        [node(slices=0)],
        kinds,
        resource_name=SLICE,
        demand=wanted(7),
        window=make.window(0, 2),
        latest=make.at(LAST_HOUR),
    )

    assert [(each.resource_name, each.units) for each in found] == [(GPU, 1)]


# --- everything, against the oracle --------------------------------------------------------------


@dataclass(frozen=True)
class Attempt:
    node: int
    name: str
    first: int
    hours: int
    units: int


attempts = st.builds(
    Attempt,
    node=st.integers(1, 2),
    name=st.sampled_from([SLICE, SLICE, GPU]),
    first=st.integers(-2, LAST_HOUR - 1),
    hours=st.integers(1, 5),
    units=st.integers(1, 2),
)
closures = st.lists(st.tuples(st.integers(0, LAST_HOUR), st.integers(1, 2)), max_size=1)


@st.composite
def pools(draw: st.DrawFn) -> list[NodeState]:
    """Return two nodes with whatever of some bookings found its devices free."""
    states = []
    for number in (1, 2):
        state = node(
            number=number,
            slices=draw(st.integers(1, 3)),
            closed=tuple(make.window(at, at + hours) for at, hours in draw(closures)),
        )
        booked: list[Held] = []
        for attempt in draw(st.lists(attempts, max_size=7)):
            window = make.window(attempt.first, attempt.first + attempt.hours)
            if window.ends_at <= make.NOON:
                continue
            taken = {d for h in booked if h.booking.window.overlaps(window) for d in h.devices}
            free = [d for d in state.devices[attempt.name] if d not in taken][: attempt.units]
            if len(free) == attempt.units:
                last = attempt.first + attempt.hours
                key = number * 100 + len(booked)
                booked.append(held(key, attempt.first, last, *free, name=attempt.name))
        states.append(replace(state, held=tuple(booked)))
    return states


def fits_at(state: NodeState, name: str, demand: Demand, hour: int, *, but: int = 0) -> bool:
    moment = make.window(hour, hour + 1)
    if any(each.overlaps(moment) for each in state.closed):
        return False
    there = [
        each
        for each in state.held
        if each.booking.window.overlaps(moment) and each.reservation != but
    ]
    has = replace(state.capacity, devices=len(state.devices[name]))
    return all(
        getattr(has, q)
        >= getattr(demand, q)
        + sum(
            getattr(each.booking.demand, q)
            for each in there
            if q != "devices" or each.resource_name == name
        )
        for q in QUANTITIES
    )


def fits(state: NodeState, name: str, demand: Demand, first: int, last: int) -> bool:
    return all(fits_at(state, name, demand, hour) for hour in range(first, last))


demands = st.builds(
    Demand,
    devices=st.integers(1, 2),
    cpu_millicores=st.integers(1, 4).map(lambda cores: cores * 1_000),
    memory_mib=st.just(1024),
    storage_gib=st.just(10),
)


@given(pools(), demands, st.integers(1, 3))
def test_free_windows_are_what_the_oracle_finds_by_trying_every_one(
    states: list[NodeState], demand: Demand, hours: int
) -> None:
    every = {
        (first, last)
        for first in range(LAST_HOUR)
        for last in range(first + hours, LAST_HOUR + 1)
        if any(fits(state, SLICE, demand, first, last) for state in states)
    }
    largest = sorted(
        (first, last)
        for first, last in every
        if not any(f <= first and last <= la and (f, la) != (first, last) for f, la in every)
    )

    found = free_windows(
        states,
        resource_name=SLICE,
        demand=demand,
        within=make.window(0, LAST_HOUR),
        shortest=hours * HOUR,
    )

    assert found == [make.window(*each) for each in largest]
    for window in found:
        assert place(states, resource_name=SLICE, demand=demand, window=window) is not None


@given(pools(), st.data(), st.integers(LAST_HOUR - 2, LAST_HOUR + 3))
def test_an_extension_is_the_longest_and_can_be_had(
    states: list[NodeState], data: st.DataObject, at_most: int
) -> None:
    state = data.draw(st.sampled_from(states))
    if not state.held:
        return
    mine = data.draw(st.sampled_from(state.held))
    name, demand = mine.resource_name, mine.booking.demand
    first = int((mine.booking.window.starts_at - make.NOON) / HOUR)
    end = int((mine.booking.window.ends_at - make.NOON) / HOUR)
    since = first if mine.movable else end
    blocked = next(
        (
            hour
            for hour in range(since, at_most)
            if not fits_at(state, name, demand, hour, but=mine.reservation)
        ),
        at_most,
    )

    found = longest_extension(state, mine, at_most=make.at(at_most))

    assert found.until == make.at(max(end, blocked))
    if found.until > make.at(end):
        placed = stretch(state, mine, until=found.until)
        assert placed is not None
        if not mine.movable:
            assert placed.devices == mine.devices
        _check(state, mine, placed.devices, placed.moved, found)
        assert (found.because == Bound.LONGEST) == (blocked == at_most)


def _check(
    state: NodeState,
    mine: Held,
    devices: tuple[int, ...],
    moved: Mapping[int, tuple[int, ...]],
    found: Extension,
) -> None:
    by_key = {each.reservation: each for each in state.held}
    assert all(by_key[key].movable for key in moved)
    standing = [
        (each.booking.window, moved.get(each.reservation, each.devices))
        for each in state.held
        if each != mine
    ]
    longer = Window(mine.booking.window.starts_at, found.until)
    for at, (window, taken) in enumerate([(longer, devices), *standing]):
        for other, others in [(longer, devices), *standing][at + 1 :]:
            assert not (window.overlaps(other) and set(taken) & set(others))


@given(pools(), st.sampled_from([(GPU, 1), (SLICE, 1), (SLICE, 2), (SLICE, 3)]))
def test_alternatives_can_be_had_and_none_comes_earlier(
    states: list[NodeState], asked: tuple[str, int]
) -> None:
    name, units = asked
    gb = {GPU: 96, SLICE: 24}
    found = alternatives(
        states,
        KINDS,
        resource_name=name,
        demand=wanted(units),
        window=make.window(0, 2),
        latest=make.at(LAST_HOUR),
    )

    assert found == sorted(found, key=lambda each: each.window.starts_at)
    for each in found:
        assert place(
            states, resource_name=each.resource_name, demand=each.demand, window=each.window
        )
        assert each.is_smaller == (each.units * gb[each.resource_name] < units * gb[name])
        if each.is_smaller:
            assert each.window == make.window(0, 2)
            continue
        first = int((each.window.starts_at - make.NOON) / HOUR)
        assert not any(
            fits(state, each.resource_name, each.demand, hour, hour + 2)
            for hour in range(first)
            for state in states
        )
