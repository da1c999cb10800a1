"""Times as people write them, in a zone with summer time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas_cli.clock import Clock, NoSuchTime
from gpuaas_cli.when import Unreadable, read_instant, read_length

BERLIN = ZoneInfo("Europe/Berlin")
# A Tuesday, 13:30:15 in Berlin.
NOW = datetime(2026, 11, 24, 12, 30, 15, tzinfo=UTC)
AT_HOME = Clock(NOW, BERLIN)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("now", "2026-11-24T12:31"),
        ("+2h", "2026-11-24T14:31"),
        ("in 90m", "2026-11-24T14:01"),
        ("18:00", "2026-11-24T17:00"),
        ("9:00", "2026-11-25T08:00"),
        ("13:30", "2026-11-25T12:30"),  # it was fifteen seconds ago
        ("today 18:00", "2026-11-24T17:00"),
        ("today 9:00", "2026-11-24T08:00"),  # the server says that it is over
        ("Tomorrow  9:00", "2026-11-25T08:00"),
        ("tue 18:00", "2026-11-24T17:00"),
        ("tuesday 9:00", "2026-12-01T08:00"),
        ("fri 0:05", "2026-11-26T23:05"),
        ("2026-12-01 09:00", "2026-12-01T08:00"),
        ("2026-12-01T09:00:30", "2026-12-01T08:00:30"),
        ("2026-12-01t09:00z", "2026-12-01T09:00"),
        ("2026-12-01T09:00+05:30", "2026-12-01T03:30"),
        ("2027-07-01 09:00", "2027-07-01T07:00"),
    ],
)
def test_a_time_that_is_read(text: str, means: str) -> None:
    assert read_instant(text, AT_HOME) == datetime.fromisoformat(f"{means}+00:00")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no time"),
        ("later", "is no time"),
        ("24:00", "no time of day"),
        ("9:60", "no time of day"),
        ("someday 9:00", "is no day"),
        ("mo 9:00", "is no day"),
        ("2026-12-01", "has no time of day"),
        ("2026-13-01 09:00", "is no time"),
        ("0001-01-01T00:00", "not in our time"),
        ("9999-12-31T23:59+00:00", "not in our time"),
        ("+soon", "no length of time"),
        ("9" * 5000 + ":00", "is no time"),
    ],
)
def test_a_time_that_is_not_read(text: str, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        read_instant(text, AT_HOME)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-03-29 02:30", "the clocks skip 2026-03-29 02:30"),
        ("2026-10-25 02:30", r"twice.*2026-10-25T02:30\+02:00 or 2026-10-25T02:30\+01:00"),
    ],
)
def test_a_time_that_the_clocks_skip_or_show_twice(text: str, says: str) -> None:
    with pytest.raises(NoSuchTime, match=says):
        read_instant(text, AT_HOME)


def test_a_day_ahead_is_the_same_time_of_day_through_a_change_of_clocks() -> None:
    before = Clock(datetime(2026, 10, 24, 12, tzinfo=UTC), BERLIN)

    assert read_instant("tomorrow 14:00", before) - before.now == timedelta(hours=25)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("4h", 240), ("90m", 90), ("1h30m", 90), ("1.5h", 90), ("2d", 2880), ("1d 12 H", 2160)],
)
def test_a_length_that_is_read(text: str, minutes: int) -> None:
    assert read_length(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "4", "h", "-4h", "4 hours", "0m", "0.1m", "99999d", "4h!"])
def test_a_length_that_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        read_length(text)


@given(st.datetimes().map(lambda shown: shown.replace(year=2020 + shown.year % 15, day=28)))
def test_what_the_clocks_show_is_read_as_that_instant_or_refused(shown: datetime) -> None:
    text = shown.isoformat(timespec="microseconds")
    try:
        instant = read_instant(text, AT_HOME)
    except NoSuchTime:
        return
    assert AT_HOME.local(instant).replace(tzinfo=None) == shown


@given(st.text(max_size=40))
def test_anything_is_read_or_refused(text: str) -> None:
    for read in (lambda: read_instant(text, AT_HOME), lambda: read_length(text)):
        try:
            read()
        except (Unreadable, NoSuchTime):
            continue
