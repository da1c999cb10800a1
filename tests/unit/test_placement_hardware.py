"""What hardware that is closed, gone or not reported means for placing a booking."""

from dataclasses import replace

import pytest

from reservations.answers import first_fit
from reservations.capacity import Booking, Demand, Window
from reservations.placement import Held, NodeState, place
from tests import make
from tests.make import SLICE

ONE = Demand(devices=1)


def held(number: int, hours: tuple[float, float], *devices: int) -> Held:
    booking = Booking(make.window(*hours), Demand(devices=len(devices)))
    return Held(number, booking, SLICE, devices, movable=True)


def node(*bookings: Held, number: int = 1, slices: int = 2) -> NodeState:
    devices = {SLICE: tuple(range(number * 10, number * 10 + slices))}
    return NodeState(number, Demand(), devices, bookings)


def is_placed(state: NodeState, hours: tuple[float, float] = (0, 4), units: int = 1) -> bool:
    wanted = Demand(devices=units)
    return (
        place([state], resource_name=SLICE, demand=wanted, window=make.window(*hours)) is not None
    )


@pytest.mark.parametrize(
    ("hours", "fits"),
    [
        ((0, 2), True),  # it ends as the closure begins
        ((4, 6), True),  # it starts as the closure ends
        ((1, 3), False),
        ((3, 5), False),
        ((2, 4), False),
        ((2.5, 3), False),
        ((0, 6), False),
    ],
)
def test_nothing_of_a_closed_node_is_booked(hours: tuple[float, float], fits: bool) -> None:
    closed = replace(node(), closed=(make.window(2, 4),))

    assert is_placed(closed, hours) is fits


def test_another_node_is_taken_while_one_is_closed() -> None:
    closed = replace(node(), closed=(make.window(0, 4),))
    placed = place(
        [closed, node(number=2)], resource_name=SLICE, demand=ONE, window=make.window(0, 4)
    )

    assert placed is not None
    assert placed.node == 2


def test_the_first_fit_is_after_the_closure() -> None:
    closed = replace(node(), closed=(make.window(2, 5),))
    found = first_fit(
        [closed], resource_name=SLICE, demand=ONE, window=make.window(0, 4), latest=make.at(9)
    )

    assert found == Window(make.at(5), make.at(9))


@pytest.mark.parametrize(
    ("reported", "most"), [(None, 4), ({SLICE: 3}, 3), ({SLICE: 9}, 4), ({SLICE: 0}, 0), ({}, 0)]
)
def test_capacity_is_the_smaller_of_inventory_and_report(
    reported: dict[str, int] | None, most: int
) -> None:
    state = replace(node(slices=4), reported=reported)

    assert [units for units in range(1, 6) if is_placed(state, units=units)] == [
        units for units in range(1, 6) if units <= most
    ]


def test_what_is_booked_counts_against_the_report() -> None:
    state = replace(node(held(1, (0, 4), 10, 11), slices=4), reported={SLICE: 3})

    assert (is_placed(state, units=1), is_placed(state, units=2)) == (True, False)


def test_a_booking_on_a_device_out_of_service_takes_nothing_of_the_others() -> None:
    # 99 is out of service: it is not among the node's devices any more.
    state = node(held(1, (0, 4), 99), held(2, (0, 4), 10))

    assert (is_placed(state, units=1), is_placed(state, units=2)) == (True, False)


def test_and_yet_it_is_more_than_the_node_has() -> None:
    state = node(held(1, (0, 4), 99), held(2, (0, 4), 10, 11))

    assert state.excess(SLICE, within=make.window(0, 4)) == ONE
