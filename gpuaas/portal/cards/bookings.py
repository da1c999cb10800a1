"""Reservations as rows and cards.  Pure: rows of the database in, finished text out."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from uuid import UUID

from django.utils.translation import gettext

from gpuaas.core.language import later
from gpuaas.portal import wording
from reservations import lifecycle, selectors
from reservations.lifecycle import State

if TYPE_CHECKING:
    from reservations.models import Reservation
    from sessions.models import WorkspaceSession

TONE: Final[Mapping[State, str]] = {
    State.WAITLISTED: "secondary",
    State.PENDING: "warning",
    State.APPROVED: "info",
    State.ACTIVE: "success",
    State.COMPLETED: "secondary",
    State.CANCELED: "secondary",
    State.FAILED: "danger",
}
WORD: Final[Mapping[State, str]] = {
    State.WAITLISTED: later("Waitlisted"),
    State.PENDING: later("Pending"),
    State.APPROVED: later("Approved"),
    State.ACTIVE: later("Active"),
    State.COMPLETED: later("Completed"),
    State.CANCELED: later("Canceled"),
    State.FAILED: later("Failed"),
}
MODE: Final = {"interactive": later("Interactive ML"), "inference": later("Inference containers")}


@dataclass(frozen=True, slots=True)
class Badge:
    """A state as a coloured word; ``state`` is the lifecycle's own name."""

    state: str
    word: str
    tone: str


@dataclass(frozen=True, slots=True)
class BookingCard:
    """One reservation, short.

    ``workspace_url`` is set while the workspace can be opened; ``book_again``, a query for the
    booking form, when all is over; ``trouble``, what the matter is with its hardware.
    """

    public_id: UUID
    title: str
    purpose: str
    badge: Badge
    team: str
    booked_by: str
    pool: str
    mode: str
    starts_at: datetime
    ends_at: datetime
    length: str
    happening: str
    workspace_url: str
    may_give_back: bool
    may_cancel: bool
    may_change: bool
    book_again: str
    trouble: str = ""


def badge(state: State) -> Badge:
    """Return the badge of a lifecycle state."""
    return Badge(state=state.value, word=WORD[state], tone=TONE[state])


def booking_card(
    reservation: "Reservation", *, workspace_url: str = "", may_change: bool, now: datetime
) -> BookingCard:
    """Return the card of ``reservation``; an address goes only with a session that is ready."""
    state = State(reservation.state)
    session = session_of(reservation)
    return BookingCard(
        public_id=reservation.public_id,
        title=wording.amount(reservation.units, reservation.resource_name),
        purpose=reservation.purpose,
        badge=badge(state),
        team=reservation.team.name,
        booked_by=_name(reservation),
        pool=reservation.pool.name,
        mode=MODE[reservation.mode],
        starts_at=reservation.starts_at,
        ends_at=reservation.ends_at,
        length=wording.duration(reservation.window.length),
        happening=_happening(reservation, session, now),
        workspace_url=workspace_url if can_open(reservation, session) else "",
        may_give_back=may_change and state == State.ACTIVE,
        may_cancel=may_change and state not in lifecycle.TERMINAL,
        may_change=may_change
        and state in {State.APPROVED, State.ACTIVE}
        and reservation.ends_at > now,
        book_again=_again(reservation) if may_change and state in lifecycle.TERMINAL else "",
        trouble=flag.detail if (flag := selectors.flag_of(reservation)) else "",
    )


def session_of(reservation: "Reservation") -> "WorkspaceSession | None":
    """Return the reservation's session; None before its window opened."""
    return getattr(reservation, "workspace", None)


def can_open(reservation: "Reservation", session: "WorkspaceSession | None") -> bool:
    """Return whether the workspace is there to be opened."""
    is_ready = session is not None and session.state == "READY" and session.paused_at is None
    return reservation.state == State.ACTIVE and is_ready


def fingerprint(cards: Iterable[object]) -> str:
    """Return a short text that differs when what is shown differs."""
    return hashlib.sha256(repr(tuple(cards)).encode()).hexdigest()[:16]


def _name(reservation: "Reservation") -> str:
    person = reservation.requested_by
    return person.get_full_name() or person.get_username()


def _again(reservation: "Reservation") -> str:
    """Return the query that fills the booking form with the same wish, but for the time."""
    return urlencode(
        {
            "team": reservation.team.slug,
            "type": f"{reservation.pool.slug}/{reservation.resource_name}",
            "units": reservation.units,
            "mode": reservation.mode,
            "purpose": reservation.purpose,
        }
    )


def _happening(
    reservation: "Reservation", session: "WorkspaceSession | None", now: datetime
) -> str:
    if reservation.state == State.APPROVED:
        return gettext("Starting") if reservation.starts_at <= now else ""
    if reservation.state != State.ACTIVE or session is None:
        return ""
    if reservation.ends_at <= now:
        return gettext("Ending")
    return {"PROVISIONING": gettext("Preparing"), "READY": gettext("Ready")}.get(
        session.state, "Ending"
    )
