"""`reservations.lifecycle`: every cell of the table."""

import itertools

import pytest

from reservations import lifecycle
from reservations.lifecycle import State

ALLOWED = {
    (State.WAITLISTED, State.PENDING),
    (State.WAITLISTED, State.CANCELED),
    (State.PENDING, State.APPROVED),
    (State.PENDING, State.CANCELED),
    (State.APPROVED, State.ACTIVE),
    (State.APPROVED, State.CANCELED),
    (State.APPROVED, State.FAILED),
    (State.ACTIVE, State.COMPLETED),
    (State.ACTIVE, State.CANCELED),
    (State.ACTIVE, State.FAILED),
}


@pytest.mark.parametrize(("source", "target"), list(itertools.product(State, State)))
def test_a_move_is_allowed_exactly_if_the_picture_has_it(source: State, target: State) -> None:
    if (source, target) in ALLOWED:
        lifecycle.check_transition(source, target)
    else:
        with pytest.raises(lifecycle.TransitionNotAllowed) as refused:
            lifecycle.check_transition(source, target)
        assert (refused.value.source, refused.value.target) == (source, target)
        assert f"from {source.value} to {target.value}" in str(refused.value)


def test_every_state_is_in_the_table() -> None:
    assert set(lifecycle.TRANSITIONS) == set(State)


def test_the_terminal_states() -> None:
    assert {State.COMPLETED, State.CANCELED, State.FAILED} == lifecycle.TERMINAL


def test_capacity_is_held_from_the_hold_to_the_end() -> None:
    assert {State.PENDING, State.APPROVED, State.ACTIVE} == lifecycle.HOLDS_CAPACITY


def test_every_state_waits_for_its_booking_or_its_start_or_runs_or_is_over() -> None:
    runs = {State.ACTIVE}
    assert (
        lifecycle.IS_NO_BOOKING_YET | lifecycle.WAITS_FOR_ITS_START | runs | lifecycle.TERMINAL
    ) == set(State)
    assert {State.PENDING} == lifecycle.IS_NO_BOOKING_YET & lifecycle.WAITS_FOR_ITS_START
