"""`tokenomics.core.month`: the load of bookings, hour by hour."""

from hypothesis import given
from hypothesis import strategies as st

from tokenomics.core.lines import WEIGHT_PARTS
from tokenomics.core.month import hourly_load

HOUR = 3_600_000
loads = st.lists(
    st.tuples(
        st.integers(-HOUR, 5 * HOUR), st.integers(1, 3 * HOUR), st.integers(0, WEIGHT_PARTS)
    ).map(lambda each: (each[0], each[0] + each[1], each[2])),
    max_size=8,
)


def test_half_a_gpu_for_an_hour_and_a_half() -> None:
    load = [(HOUR // 2, 2 * HOUR, WEIGHT_PARTS // 2)]

    assert hourly_load(load, [0, HOUR, 2 * HOUR]) == [HOUR // 4, HOUR // 2, 0]


@given(load=loads)
def test_each_hour_has_what_lies_in_it(load: list[tuple[int, int, int]]) -> None:
    hours = [0, HOUR, 2 * HOUR, 3 * HOUR]

    found = hourly_load(load, hours)

    for hour, total in zip(hours, found, strict=True):
        exact = sum(
            max(min(until, hour + HOUR) - max(since, hour), 0) * weight
            for since, until, weight in load
        )
        assert total == exact // WEIGHT_PARTS
