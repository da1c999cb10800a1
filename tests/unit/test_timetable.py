"""`reservations.timetable` against an oracle that looks at every quarter of an hour."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from reservations.timetable import Taken, free_by_hour, outlook
from tests import make

HOURS = 8
QUARTER = timedelta(minutes=15)
DEVICES = {1: 3, 2: 2}

taken = st.builds(
    lambda node, starts, length, is_closure: Taken(
        node, make.at(starts / 4), make.at((starts + length) / 4), is_closure
    ),
    st.sampled_from([1, 2]),
    st.integers(-6, HOURS * 4 + 2),
    st.integers(1, 20),
    st.booleans(),
)


def free_at(step: int, what: Sequence[Taken]) -> int:
    at = make.NOON + step * QUARTER
    free = 0
    for node, devices in DEVICES.items():
        now = [t for t in what if t.node == node and t.starts_at <= at < t.ends_at]
        if not any(each.is_closure for each in now):
            free += max(0, devices - len(now))
    return free


@given(st.lists(taken, max_size=12))
@example([Taken(1, make.at(1), make.at(2)), Taken(1, make.at(2), make.at(3))])
def test_an_hour_has_free_what_its_worst_quarter_has(what: list[Taken]) -> None:
    expected = [
        min(free_at(4 * hour + quarter, what) for quarter in range(4)) for hour in range(HOURS)
    ]

    assert free_by_hour(DEVICES, what, since=make.NOON, hours=HOURS) == expected


def test_bookings_that_follow_each_other_are_not_added_up() -> None:
    halves = [Taken(1, make.at(0), make.at(0.5)), Taken(1, make.at(0.5), make.at(1))]

    assert free_by_hour({1: 1, 2: 1}, halves, since=make.NOON, hours=2) == [1, 2]


@given(st.lists(taken, max_size=12))
def test_the_outlook_is_what_every_quarter_says(what: list[Taken]) -> None:
    free = [free_at(step, what) for step in range(HOURS * 4)]
    later = [(step, each) for step, each in enumerate(free) if step]

    found = outlook(DEVICES, what, now=make.NOON, until=make.at(HOURS))

    assert sum(found.free.values()) == free[0]
    less = next((make.at(step / 4) for step, each in later if each < free[0]), None)
    more = next((make.at(step / 4) for step, each in later if each > free[0]), None)
    assert (found.less_at, found.more_at) == (less, more)
