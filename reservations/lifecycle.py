"""The life of a reservation: five states, and the only moves between them.

    APPROVED --> ACTIVE --> COMPLETED
        |           |
        +-----------+-----> CANCELED | FAILED

This module knows neither the database nor the clock.  `reservations.services` is the only writer
of `Reservation.state` and asks here first.
"""

import enum
from collections.abc import Mapping
from typing import Final

from gpuaas.core import errors


class State(enum.StrEnum):
    """Where a reservation is in its life."""

    APPROVED = "APPROVED"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    FAILED = "FAILED"


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.APPROVED: frozenset({State.ACTIVE, State.CANCELED, State.FAILED}),
    State.ACTIVE: frozenset({State.COMPLETED, State.CANCELED, State.FAILED}),
    State.COMPLETED: frozenset(),
    State.CANCELED: frozenset(),
    State.FAILED: frozenset(),
}

TERMINAL: Final = frozenset(state for state, targets in TRANSITIONS.items() if not targets)

# A reservation occupies its pool from the moment it is approved, not when it starts.
HOLDS_CAPACITY: Final = frozenset(State) - TERMINAL


class TransitionNotAllowed(errors.DomainError):
    """The lifecycle has no such move."""

    code = "transition_not_allowed"

    def __init__(self, source: State, target: State) -> None:
        super().__init__(f"a reservation cannot go from {source.value} to {target.value}")
        self.source = source
        self.target = target


def check_transition(source: State, target: State) -> None:
    """Raise `TransitionNotAllowed` unless ``source -> target`` is a move."""
    if target not in TRANSITIONS[source]:
        raise TransitionNotAllowed(source, target)
