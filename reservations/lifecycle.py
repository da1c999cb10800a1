"""The life of a reservation: seven states, and the only moves between them.

    WAITLISTED --> PENDING --> APPROVED --> ACTIVE --> COMPLETED
        |             |            |           |
        +-------------+------------+-----------+-----> CANCELED
                                   +-----------+-----> FAILED

This module knows neither the database nor the clock.  `reservations.services` is the only writer
of `Reservation.state` and asks here first.
"""

import enum
from collections.abc import Mapping
from typing import Final

from gpuaas.core import errors


class State(enum.StrEnum):
    """Where a reservation is in its life."""

    WAITLISTED = "WAITLISTED"
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    FAILED = "FAILED"


class PendingOn(enum.StrEnum):
    """Whose word a PENDING reservation waits for."""

    APPROVER = "approver"
    REQUESTER = "requester"


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.WAITLISTED: frozenset({State.PENDING, State.CANCELED}),
    State.PENDING: frozenset({State.APPROVED, State.CANCELED}),
    State.APPROVED: frozenset({State.ACTIVE, State.CANCELED, State.FAILED}),
    State.ACTIVE: frozenset({State.COMPLETED, State.CANCELED, State.FAILED}),
    State.COMPLETED: frozenset(),
    State.CANCELED: frozenset(),
    State.FAILED: frozenset(),
}

TERMINAL: Final = frozenset(state for state, targets in TRANSITIONS.items() if not targets)

# A reservation occupies its pool from the moment it is held for somebody, not when it starts: an
# approval can never fail for lack of room.
HOLDS_CAPACITY: Final = frozenset({State.PENDING, State.APPROVED, State.ACTIVE})

# Nothing of it runs yet: it can change its devices.
WAITS_FOR_ITS_START: Final = frozenset({State.PENDING, State.APPROVED})

# Nobody was promised it.  What ends here never began, whenever that is found out.
IS_NO_BOOKING_YET: Final = frozenset({State.WAITLISTED, State.PENDING})

# Whatever is wanted, and has not begun.
BEFORE_ITS_START: Final = IS_NO_BOOKING_YET | WAITS_FOR_ITS_START


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
