"""`tokenomics.core.capacity`: every millisecond of a device is somebody's, once."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tokenomics.core.capacity import (
    DeviceTime,
    Presence,
    Span,
    clip,
    device_time,
    exact,
    gpu_time,
    length,
    minus,
    union,
    weight_of,
)
from tokenomics.core.lines import WEIGHT_PARTS

MONTH = (0, 1000)
spans = st.lists(st.tuples(st.integers(-50, 1050), st.integers(1, 300)), max_size=6).map(
    lambda found: [(since, since + long) for since, long in found]
)


def presence(weight: int = WEIGHT_PARTS, there: tuple[Span, ...] = (MONTH,)) -> Presence:
    return Presence(1, "gpu-0", weight, there)


def test_what_is_booked_was_booked_and_breakdowns_go_before_plans() -> None:
    device = Presence(1, "g", 1, [MONTH], planned=[(100, 300)], unplanned=[(200, 400)])

    found = device_time(device, [(0, 150), (390, 500)], MONTH)

    assert found == DeviceTime(booked_ms=260, idle_ms=500, planned_ms=50, unplanned_ms=190)


def test_a_device_counts_as_long_as_it_is_there() -> None:
    device = Presence(1, "g", 1, [(0, 600)], planned=[(500, 900)], unplanned=[(550, 700)])

    assert device_time(device, [], MONTH) == DeviceTime(0, 500, 50, 50)


@given(there=spans, planned=spans, unplanned=spans, booked=spans)
def test_together_it_is_all_the_time_there_is(
    there: list[Span], planned: list[Span], unplanned: list[Span], booked: list[Span]
) -> None:
    found = device_time(Presence(1, "g", 1, there, planned, unplanned), booked, MONTH)

    parts = (found.booked_ms, found.idle_ms, found.planned_ms, found.unplanned_ms)
    assert min(parts) >= 0
    assert sum(parts) == length(union(clip([*there, *booked], MONTH)))


@given(first=spans, second=spans)
def test_taking_time_away(first: list[Span], second: list[Span]) -> None:
    one, other = union(first), union(second)

    assert length(minus(one, other)) == length(union([*one, *other])) - length(other)


def test_weights_are_sevenths_and_eighths() -> None:
    assert weight_of(Fraction("0.1429"), Fraction(10, 80)) == WEIGHT_PARTS // 7
    assert weight_of(Fraction("0.1429"), Fraction(20, 80)) == WEIGHT_PARTS // 4
    assert weight_of(Fraction("0.25"), None) == WEIGHT_PARTS // 4
    assert weight_of(Fraction(1), Fraction(9, 8)) == WEIGHT_PARTS


def test_what_a_layout_leaves_is_stranded() -> None:
    half, gpu = presence(WEIGHT_PARTS // 2), 1000 * WEIGHT_PARTS

    assert gpu_time([half], MONTH, knows_gpu=True) == (gpu, gpu // 2)
    assert gpu_time([half, half], MONTH, knows_gpu=True) == (gpu, 0)
    assert gpu_time([half] * 5, MONTH, knows_gpu=False) == (3 * gpu, gpu // 2)
    assert gpu_time([half] * 3, MONTH, knows_gpu=True) == (2 * gpu, gpu // 2)
    assert gpu_time([], MONTH, knows_gpu=False) == (0, 0)


def test_a_layout_that_changed_in_the_month() -> None:
    whole = presence(there=((0, 400),))
    quarter = presence(WEIGHT_PARTS // 4, there=((500, 1000),))

    found = gpu_time([whole, quarter], MONTH, knows_gpu=True)

    assert found == (900 * WEIGHT_PARTS, 500 * WEIGHT_PARTS * 3 // 4)


def test_seven_sevenths_are_a_gpu() -> None:
    sevenths = [presence(WEIGHT_PARTS // 7)] * 7

    assert gpu_time(exact(sevenths), MONTH, knows_gpu=True)[1] == 0
    assert [each.weight for each in exact(sevenths[:2])] == [WEIGHT_PARTS // 7] * 2
