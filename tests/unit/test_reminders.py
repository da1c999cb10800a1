"""Which reminder is right at an instant: the latest, never one long passed."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservations import reminders
from reservations.capacity import Window
from reservations.lifecycle import HOLDS_CAPACITY, State
from tests import make

LONG_AGO = make.at(-48)
WINDOW = make.window(0, 4)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def due(
    state: State, now: datetime, window: Window = WINDOW, booked_at: datetime = LONG_AGO
) -> tuple[str, int, int] | None:
    found = reminders.due(state=state, window=window, booked_at=booked_at, now=now)
    return (
        None
        if found is None
        else (found.event.partition(".")[2], found.mark_minutes, found.minutes_left)
    )


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (61, None),
        (60, ("ending", 60, 60)),
        (59.5, ("ending", 60, 60)),
        (31, ("ending", 60, 31)),
        (30, None),
        (20, None),
        (15, ("ending", 15, 15)),
        (8, ("ending", 15, 8)),
        (7, None),
        (5, ("ending", 5, 5)),
        (0.1, ("ending", 5, 1)),
        (0, None),
        (-1, None),
    ],
)
def test_an_active_booking_is_reminded_of_its_end(left: float, told: object) -> None:
    assert due(State.ACTIVE, WINDOW.ends_at - minutes(left)) == told


@pytest.mark.parametrize(
    ("left", "told"),
    [(16, None), (15, ("starting", 15, 15)), (1, ("starting", 15, 1)), (0, None), (-1, None)],
)
def test_an_approved_booking_is_reminded_of_its_start(left: float, told: object) -> None:
    assert due(State.APPROVED, WINDOW.starts_at - minutes(left)) == told


def test_who_booked_just_now_knows_when_it_starts() -> None:
    booked_at = WINDOW.starts_at - minutes(14)

    assert due(State.APPROVED, WINDOW.starts_at - minutes(10), booked_at=booked_at) is None


def test_a_booking_of_an_hour_is_not_told_at_its_start_that_it_ends_in_an_hour() -> None:
    hour = make.window(0, 1)

    assert due(State.ACTIVE, hour.starts_at, hour) is None
    assert due(State.ACTIVE, hour.ends_at - minutes(15), hour) == ("ending", 15, 15)


@pytest.mark.parametrize("state", sorted(set(State) - HOLDS_CAPACITY))
def test_what_is_over_is_not_reminded_of(state: State) -> None:
    assert due(state, WINDOW.ends_at - minutes(5)) is None


def test_another_deadline_is_another_reminder() -> None:
    def key(window: Window) -> str:
        found = reminders.due(
            state=State.ACTIVE,
            window=window,
            booked_at=LONG_AGO,
            now=window.ends_at - minutes(5),
        )
        assert found is not None
        return found.key("id")

    assert key(make.window(0, 4)) != key(make.window(0, 5))


@given(
    since_start=st.timedeltas(min_value=timedelta(hours=-2), max_value=timedelta(hours=5)),
    state=st.sampled_from(State),
)
def test_a_reminder_never_claims_more_than_is_left(since_start: timedelta, state: State) -> None:
    now = WINDOW.starts_at + since_start

    found = reminders.due(state=state, window=WINDOW, booked_at=LONG_AGO, now=now)

    if found is not None:
        left = found.deadline - now
        assert timedelta(0) < left <= minutes(found.mark_minutes)
        assert minutes(found.minutes_left - 1) < left <= minutes(found.minutes_left)
