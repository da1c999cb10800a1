"""What can be changed about a booking, in words.  Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from gpuaas.portal import wording
from reservations.lifecycle import State
from reservations.services import bound_in_words

if TYPE_CHECKING:
    from reservations.answers import Extension
    from reservations.models import Reservation

STEPS: Final = (timedelta(hours=1), timedelta(hours=2), timedelta(hours=4), timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Later:
    """A later end that can be had, as a button: ``ends_at`` and what it says."""

    ends_at: datetime
    label: str


@dataclass(frozen=True, slots=True)
class ChangeCard:
    """How the end can be moved.  ``because`` says why not later than ``until``."""

    until: datetime
    is_longer: bool
    because: str
    later: tuple[Later, ...]
    may_move: bool


def change_card(reservation: "Reservation", longest: "Extension", *, now: datetime) -> ChangeCard:
    """Return how ``reservation`` can be changed, as far as its calendar allows."""
    ends_at = reservation.ends_at
    return ChangeCard(
        until=longest.until,
        is_longer=longest.until > ends_at,
        because=bound_in_words(longest.because),
        later=tuple(
            Later(ends_at + step, f"+ {wording.duration(step)}")
            for step in STEPS
            if ends_at + step <= longest.until
        ),
        may_move=reservation.state == State.APPROVED and reservation.starts_at > now,
    )
