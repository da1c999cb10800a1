"""`reservations.capacity`: sweeps over time, against an hour-by-hour count."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservations.capacity import (
    QUANTITIES,
    Booking,
    Demand,
    Window,
    minus,
    peak,
    usage_over_time,
)
from tests import make

LAST_HOUR = 27
small = st.integers(0, 5)
demands = st.builds(
    Demand, devices=small, cpu_millicores=small, memory_mib=small, storage_gib=small
)
windows = st.tuples(st.integers(0, 20), st.integers(1, 6)).map(
    lambda start_and_length: make.window(start_and_length[0], sum(start_and_length))
)
bookings = st.lists(st.builds(Booking, window=windows, demand=demands), max_size=12)


def devices(number: int) -> Demand:
    return Demand(devices=number)


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [
        pytest.param((2, 4), True, id="equal"),
        pytest.param((1, 5), True, id="enclosing"),
        pytest.param((2.5, 3), True, id="enclosed"),
        pytest.param((1, 3), True, id="left"),
        pytest.param((3, 5), True, id="right"),
        pytest.param((0, 2), False, id="touching-before"),
        pytest.param((4, 6), False, id="touching-after"),
        pytest.param((0, 1), False, id="before"),
        pytest.param((5, 6), False, id="after"),
    ],
)
def test_overlap(other: tuple[float, float], overlaps: bool) -> None:
    one, two = make.window(2, 4), make.window(*other)

    assert one.overlaps(two) is overlaps
    assert two.overlaps(one) is overlaps


def test_the_length_of_a_window() -> None:
    assert make.window(1, 2.5).length == timedelta(minutes=90)


def test_bookings_that_only_touch_do_not_add_up() -> None:
    back_to_back = [
        Booking(make.window(0, 2), devices(1)),
        Booking(make.window(2, 4), devices(1)),
    ]

    assert peak(back_to_back, within=make.window(0, 4)) == devices(1)


def test_bookings_outside_the_window_do_not_count() -> None:
    outside = [
        Booking(make.window(0, 2), devices(3)),
        Booking(make.window(4, 6), devices(3)),
    ]

    assert peak(outside, within=make.window(2, 4)) == Demand()


def test_the_peaks_of_two_quantities_need_not_coincide() -> None:
    booked = [
        Booking(make.window(0, 1), Demand(devices=2, cpu_millicores=1)),
        Booking(make.window(1, 2), Demand(devices=1, cpu_millicores=5)),
    ]

    assert peak(booked, within=make.window(0, 2)) == Demand(devices=2, cpu_millicores=5)


def hour_by_hour(booked: list[Booking], within: Window) -> list[Demand]:
    """Every window here starts and ends on the hour, so looking once an hour is exact."""
    hours = [make.at(hour) for hour in range(LAST_HOUR)]
    return [
        sum(
            (b.demand for b in booked if b.window.starts_at <= hour < b.window.ends_at),
            start=Demand(),
        )
        for hour in hours
        if within.starts_at <= hour < within.ends_at
    ]


@given(bookings, windows)
def test_the_peak_of_every_quantity_is_what_an_hour_by_hour_count_finds(
    booked: list[Booking], within: Window
) -> None:
    counted = hour_by_hour(booked, within)

    found = peak(booked, within=within)

    for quantity in QUANTITIES:
        assert getattr(found, quantity) == max(getattr(usage, quantity) for usage in counted)


@given(bookings, windows)
def test_the_usage_over_time_is_what_an_hour_by_hour_count_finds(
    booked: list[Booking], within: Window
) -> None:
    changes = dict(usage_over_time(booked, within=within))
    in_use, swept = Demand(), []
    for hour in range(LAST_HOUR):
        in_use = changes.get(make.at(hour), in_use)
        if within.starts_at <= make.at(hour) < within.ends_at:
            swept.append(in_use)

    assert swept == hour_by_hour(booked, within)
    assert min(changes) == within.starts_at
    assert max(changes) < within.ends_at


@given(bookings, windows)
def test_the_peak_is_never_more_than_the_sum_and_never_less_than_one(
    booked: list[Booking], within: Window
) -> None:
    overlapping = [b.demand for b in booked if b.window.overlaps(within)]

    found = peak(booked, within=within)

    assert found.fits_in(sum(overlapping, start=Demand()))
    assert all(demand.fits_in(found) for demand in overlapping)


@given(demands, demands)
def test_what_fits_is_what_leaves_nothing_negative(wanted: Demand, capacity: Demand) -> None:
    left = capacity + -wanted

    assert wanted.fits_in(capacity) == all(getattr(left, q) >= 0 for q in QUANTITIES)


@given(demands, demands)
def test_what_is_left_is_never_negative(capacity: Demand, used: Demand) -> None:
    left = minus(capacity, used)

    for quantity in QUANTITIES:
        assert getattr(left, quantity) == max(
            0, getattr(capacity, quantity) - getattr(used, quantity)
        )


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_one_quantity_too_many_does_not_fit(quantity: str) -> None:
    capacity = Demand(2, 2, 2, 2)

    assert Demand(**{quantity: 2}).fits_in(capacity)
    assert not Demand(**{quantity: 3}).fits_in(capacity)
