"""Which bookings cannot stay, and where they can go: `reservations.trouble`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservations.capacity import Booking, Demand, Window
from reservations.placement import Held, NodeState
from reservations.trouble import Cause, Grade, Ground, place_anew, troubles
from tests import make
from tests.make import GPU, SLICE

NOBODY: frozenset[int] = frozenset()
GOOD = Grade("RTX", 24_064, slots=2)


def held(
    number: int, hours: tuple[float, float], *devices: int, cpu: int = 0, name: str = SLICE
) -> Held:
    demand = Demand(devices=len(devices), cpu_millicores=cpu)
    return Held(number, Booking(make.window(*hours), demand), name, devices, movable=True)


def ground(number: int, *bookings: Held, devices: Sequence[int] = (), cpu: int = 0) -> Ground:
    """Return node ``number`` with two slices, number 10 and 11 on node 1."""
    have = tuple(devices) or (number * 10, number * 10 + 1)
    state = NodeState(number, Demand(cpu_millicores=cpu), {SLICE: have}, bookings)
    return Ground(state, grades={SLICE: GOOD}, promised={SLICE: GOOD})


def causes(*grounds: Ground, started: frozenset[int] = NOBODY) -> dict[int, Cause]:
    found = troubles(grounds, started=started, now=make.NOON)
    return {each.held.reservation: each.cause for each in found}


def test_where_nothing_is_wrong_nobody_is_in_trouble() -> None:
    assert causes(ground(1, held(1, (1, 4), 10), held(2, (4, 6), 10))) == {}


@pytest.mark.parametrize(
    ("is_broken", "started", "cause"),
    [
        (True, False, Cause.DEVICE),
        (True, True, Cause.DEVICE),
        (False, False, Cause.DEVICE),  # it is drained: nothing new begins on it
        (False, True, None),  # but what runs on it may end there
    ],
)
def test_a_device_out_of_service(is_broken: bool, started: bool, cause: Cause | None) -> None:
    node = ground(1, held(1, (0, 4), 10), held(2, (5, 6), 11), devices=[11])
    node = replace(node, broken=frozenset({10}) if is_broken else frozenset())

    found = causes(node, started=frozenset({1}) if started else NOBODY)

    assert found == ({1: cause} if cause else {})


@pytest.mark.parametrize(
    ("change", "start", "started", "is_in_trouble"),
    [
        ({"is_open": False}, 5, False, True),
        ({"is_open": False}, 0, True, False),  # what runs there runs on
        ({"is_ready": False}, 0.2, False, True),
        ({"is_ready": False}, 5, False, False),  # it may be back by then
        ({"is_ready": False}, 0, True, False),
        ({"is_gone": True}, 5, False, True),
        ({"is_gone": True}, 0, True, True),
    ],
)
def test_a_node_that_is_out(
    change: dict[str, bool], start: float, started: bool, is_in_trouble: bool
) -> None:
    node = replace(ground(1, held(1, (start, 8), 10)), **change)  # type: ignore[arg-type]

    found = causes(node, started=frozenset({1}) if started else NOBODY)

    assert found == ({1: Cause.NODE} if is_in_trouble else {})


@pytest.mark.parametrize("started", [NOBODY, frozenset({1})])
def test_a_closure_is_in_the_way_of_what_is_still_to_come(started: frozenset[int]) -> None:
    node = ground(1, held(1, (-2, 4), 10))
    for hours, cause in [((-2, 0), None), ((4, 5), None), ((3, 5), Cause.CLOSED)]:
        closed = replace(node.state, closed=(make.window(8, 9), make.window(*hours)))
        assert causes(replace(node, state=closed), started=started) == ({1: cause} if cause else {})


def test_the_first_closure_is_named() -> None:
    closures = (make.window(3, 4), make.window(1, 2))
    node = ground(1, held(1, (0, 6), 10))
    node = replace(node, state=replace(node.state, closed=closures))

    (found,) = troubles([node], started=NOBODY, now=make.NOON)

    assert found.closure == make.window(1, 2)


def test_of_more_than_there_is_those_that_start_last_are_in_trouble() -> None:
    node = ground(1, held(1, (1, 4), 10), held(2, (0, 4), 11), held(3, (4, 6), 10))
    fewer = replace(node, state=replace(node.state, reported={SLICE: 1}))

    assert causes(fewer) == {1: Cause.SHORT}
    assert causes(fewer, started=frozenset({1})) == {2: Cause.SHORT}


def test_a_smaller_one_behind_one_that_is_too_large_stays() -> None:
    big, small = held(2, (2, 4), 11, cpu=50), held(3, (3, 4), 12, cpu=30)
    node = ground(1, held(1, (1, 4), 10, cpu=30), big, small, devices=[10, 11, 12], cpu=60)

    assert causes(node) == {2: Cause.SHORT}


def test_what_is_over_is_in_no_trouble() -> None:
    assert causes(replace(ground(1, held(1, (-4, 0), 10)), is_gone=True)) == {}


def test_troubles_come_in_start_order() -> None:
    first = replace(ground(1, held(1, (5, 6), 10)), is_open=False)
    second = replace(ground(2, held(2, (1, 6), 20)), is_open=False)

    found = troubles([first, second], started=NOBODY, now=make.NOON)

    assert [each.held.reservation for each in found] == [2, 1]


# --- where to ----------------------------------------------------------------------------------


def placed_on(*grounds: Ground) -> int | None:
    trouble = troubles(grounds, started=NOBODY, now=make.NOON)[0]
    placed = place_anew(grounds, trouble, now=make.NOON)
    return placed.node if placed else None


def out(*bookings: Held) -> Ground:
    return replace(ground(1, *bookings), is_open=False)


def test_the_other_device_of_the_node_is_taken() -> None:
    node = replace(ground(1, held(1, (1, 4), 10), devices=[11]), broken=frozenset({10}))

    assert placed_on(node) == 1


@pytest.mark.parametrize(
    ("grade", "goes_there"),
    [
        (GOOD, True),
        (replace(GOOD, memory_mib=30_000, slots=4), True),
        (replace(GOOD, slots=1), False),
        (replace(GOOD, memory_mib=12_000), False),
        (replace(GOOD, product="A100"), False),
        (None, False),
    ],
)
def test_it_goes_only_where_nobody_would_notice(grade: Grade | None, goes_there: bool) -> None:
    other = replace(ground(2), grades={SLICE: grade} if grade else {GPU: GOOD})

    assert placed_on(out(held(1, (1, 4), 10)), other) == (2 if goes_there else None)


def test_a_node_that_is_not_ready_takes_what_starts_later_only() -> None:
    other = replace(ground(2), is_ready=False)

    assert placed_on(out(held(1, (1, 4), 10)), other) == 2
    assert placed_on(out(held(1, (0.1, 4), 10)), other) is None


def test_what_is_due_already_needs_room_only_from_now_on() -> None:
    other = ground(2, held(2, (-3, 0), 20, 21))

    assert placed_on(out(held(1, (-1, 4), 10)), other) == 2


hours = st.tuples(st.integers(0, 6), st.integers(1, 4)).map(lambda t: (t[0], t[0] + t[1]))


@st.composite
def pools(draw: st.DrawFn) -> list[Ground]:
    """Return a node that broke, with one booking, and one or two others with theirs."""
    broken = replace(ground(1, held(0, draw(hours), 10)), broken=frozenset({10}))
    broken = replace(broken, state=replace(broken.state, devices={SLICE: (11,)}))
    others, number = [], 1
    for node in range(2, 2 + draw(st.integers(1, 2))):
        bookings: list[Held] = []
        for window in draw(st.lists(hours, max_size=5)):
            for device in (node * 10, node * 10 + 1):
                taken = [h.booking.window for h in bookings if device in h.devices]
                if not any(make.window(*window).overlaps(each) for each in taken):
                    bookings.append(held(number, window, device))
                    number += 1
                    break
        others.append(ground(node, *bookings))
    if draw(st.booleans()):
        state = broken.state
        state = replace(state, held=(*state.held, held(99, draw(hours), 11)))
        broken = replace(broken, state=state)
    return [broken, *others]


def fits_somewhere(grounds: Sequence[Ground], window: Window) -> bool:
    """Return, hour by hour, whether one device more is free on some node; colouring is perfect."""
    hour = timedelta(hours=1)
    for each in grounds:
        state = each.state
        at, is_free = window.starts_at, True
        while at < window.ends_at:
            now = Window(at, at + hour)
            used = sum(
                device in state.devices[SLICE]
                for h in state.held
                if h.booking.window.overlaps(now) and h.reservation != 0
                for device in h.devices
            )
            is_free = is_free and used < len(state.devices[SLICE])
            at += hour
        if is_free:
            return True
    return False


@given(pools())
def test_a_place_is_found_if_and_only_if_there_is_one_and_overlaps_nobody(
    grounds: list[Ground],
) -> None:
    (trouble,) = troubles(grounds, started=NOBODY, now=make.NOON)
    placed = place_anew(grounds, trouble, now=make.NOON)

    assert trouble.held.reservation == 0
    assert (placed is not None) == fits_somewhere(grounds, trouble.held.booking.window)
    if placed is not None:
        (state,) = (g.state for g in grounds if g.state.node == placed.node)
        assert set(placed.devices) <= set(state.devices[SLICE])
        assert len(set(placed.devices)) == trouble.held.booking.demand.devices
        after = [(trouble.held.booking.window, placed.devices)] + [
            (h.booking.window, placed.moved.get(h.reservation, h.devices))
            for h in state.held
            if h.reservation != 0
        ]
        for (one, its), (other, others) in combinations(after, 2):
            assert not (one.overlaps(other) and set(its) & set(others))
