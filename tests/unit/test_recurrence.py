"""Windows that repeat: by the wall clock, through both changes of the clocks."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservations.capacity import Window
from reservations.recurrence import MOST, Every, Nonsense, Repeat, occurrences

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")


def first(text: str, hours: float = 2, zone: ZoneInfo = BERLIN) -> Window:
    starts_at = datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    return Window(starts_at, starts_at + timedelta(hours=hours))


def local(window: Window, zone: ZoneInfo = BERLIN) -> tuple[str, str]:
    start, end = (each.astimezone(zone) for each in (window.starts_at, window.ends_at))
    return f"{start:%m-%d %H:%M}", f"{end:%m-%d %H:%M}"


def test_every_day_at_the_same_time_of_the_clock() -> None:
    found = occurrences(first("2026-03-27 09:00"), Repeat(Every.DAY, BERLIN, count=4))

    assert [local(each.window)[0] for each in found] == [
        "03-27 09:00",
        "03-28 09:00",
        "03-29 09:00",  # summer time began in this night
        "03-30 09:00",
    ]
    assert [each.number for each in found] == [1, 2, 3, 4]
    assert found[2].window.starts_at - found[1].window.starts_at == timedelta(hours=23)
    assert not any(each.problem for each in found)


def test_a_time_that_the_clocks_skip_is_no_window_on_that_day_alone() -> None:
    found = occurrences(first("2026-03-28 02:30", 1), Repeat(Every.DAY, BERLIN, count=3))

    assert [each.problem and each.problem.code for each in found] == [None, "no_such_time", None]
    skipped = found[1].problem
    assert skipped is not None
    assert skipped.field == "starts_at"
    assert "2026-03-29" in skipped.message


def test_an_end_that_the_clocks_skip_is_told_by_its_field() -> None:
    found = occurrences(first("2026-03-28 01:30", 1), Repeat(Every.DAY, BERLIN, count=2))

    assert [each.problem and each.problem.field for each in found] == [None, "ends_at"]


def test_what_the_clocks_show_twice_is_the_first_of_the_two() -> None:
    found = occurrences(first("2026-10-24 02:30", 2), Repeat(Every.DAY, BERLIN, count=2))

    assert found[1].window.starts_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert found[1].window.length == timedelta(hours=3)
    assert found[1].problem is None


def test_weekdays_leave_the_weekend_out() -> None:
    found = occurrences(first("2026-03-05 09:00"), Repeat(Every.WEEKDAY, BERLIN, count=4))

    assert [each.window.starts_at.day for each in found] == [5, 6, 9, 10]


def test_on_days_of_the_week_until_the_last_day() -> None:
    repeat = Repeat(Every.WEEK, BERLIN, until=date(2026, 3, 18), on=frozenset({0, 2}))

    found = occurrences(first("2026-03-05 09:00"), repeat)  # a Thursday: the first is what it is

    assert [each.window.starts_at.day for each in found] == [5, 9, 11, 16, 18]


def test_every_week_is_the_day_of_the_first() -> None:
    found = occurrences(first("2026-03-05 09:00"), Repeat(Every.WEEK, BERLIN, count=3))

    assert [each.window.starts_at.day for each in found] == [5, 12, 19]


@pytest.mark.parametrize(
    ("window", "repeat", "code", "field"),
    [
        (first("2026-03-05 09:00"), Repeat(Every.DAY, BERLIN), "one_of_two", "count"),
        (
            first("2026-03-05 09:00"),
            Repeat(Every.DAY, BERLIN, count=3, until=date(2026, 4, 1)),
            "one_of_two",
            "count",
        ),
        (
            first("2026-03-05 09:00"),
            Repeat(Every.DAY, BERLIN, count=1),
            "too_many_occurrences",
            "count",
        ),
        (
            first("2026-03-05 09:00"),
            Repeat(Every.DAY, BERLIN, count=MOST + 1),
            "too_many_occurrences",
            "count",
        ),
        (
            first("2026-03-05 09:00"),
            Repeat(Every.DAY, BERLIN, until=date(9999, 12, 31)),
            "too_many_occurrences",
            "until",
        ),
        (
            first("2026-03-05 09:00"),
            Repeat(Every.DAY, BERLIN, until=date(2026, 3, 5)),
            "nothing_repeats",
            "until",
        ),
        (
            first("2026-03-05 09:00"),
            Repeat(Every.DAY, BERLIN, until=date(2025, 3, 5)),
            "nothing_repeats",
            "until",
        ),
        (
            first("2026-03-05 09:00", hours=25),
            Repeat(Every.DAY, BERLIN, count=3),
            "occurrences_overlap",
            "ends_at",
        ),
        (
            first("2026-03-05 09:00", hours=0),
            Repeat(Every.DAY, BERLIN, count=3),
            "ends_before_it_starts",
            "ends_at",
        ),
        (
            first("2026-03-05 09:00", hours=15 * 24),
            Repeat(Every.WEEK, BERLIN, count=3),
            "window_too_long",
            "ends_at",
        ),
        (
            first("2026-03-05 09:00"),
            Repeat(Every.DAY, BERLIN, count=3, on=frozenset({1})),
            "days_of_a_week",
            "on",
        ),
    ],
)
def test_nonsense_is_refused_by_its_field(
    window: Window, repeat: Repeat, code: str, field: str
) -> None:
    with pytest.raises(Nonsense) as refused:
        occurrences(window, repeat)

    assert (refused.value.problem.code, refused.value.problem.field) == (code, field)


def test_the_end_of_the_calendar_ends_a_series() -> None:
    last = Window(datetime(9999, 12, 30, 9, tzinfo=UTC), datetime(9999, 12, 30, 10, tzinfo=UTC))

    found = occurrences(last, Repeat(Every.DAY, UTC_ZONE, count=50))

    assert [each.window.starts_at.day for each in found] == [30, 31]


@given(
    minute=st.integers(0, 3 * 365 * 24 * 60),
    minutes=st.integers(15, 20 * 60),
    count=st.integers(2, MOST),
    every=st.sampled_from(Every),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_windows_go_forward_and_keep_their_time_of_day(
    minute: int, minutes: int, count: int, every: Every, zone: str
) -> None:
    where, start = ZoneInfo(zone), datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    window = Window(start, start + timedelta(minutes=minutes))
    found = occurrences(window, Repeat(every, where, count=count))

    assert len(found) == count
    assert found[0].window == window
    for one, other in pairwise(found):
        assert one.window.ends_at <= other.window.starts_at
    for each in found:
        assert each.window.length > timedelta(0)
        if each.problem is None:
            wall = [at.astimezone(where).time() for at in (each.window.starts_at, start)]
            assert wall[0] == wall[1]
