"""What gateways tell of single requests, for bookings of teams that their person books for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final
from uuid import UUID

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from reservations import selectors as reservations
from tokenomics.core.ledger import BadEntry, Booking, Usage
from tokenomics.services import usage
from tokenomics.services.usage import Booked

if TYPE_CHECKING:
    from reservations.models import Reservation

MOST_EVENTS: Final = 1000
CLOCKS_APART: Final = timedelta(minutes=1)
"""A gateway's clock may be wrong by this much."""


@dataclass(frozen=True, slots=True)
class Event:
    """One request as a gateway tells it; a figure that it does not know is None."""

    event_id: str
    reservation: UUID
    engine: str
    model: str
    started_at: datetime
    ended_at: datetime
    prompt_computed: int | None = None
    prompt_cached: int | None = None
    generated: int | None = None


@dataclass(frozen=True, slots=True)
class EventProblem:
    """What is wrong with a field of one event; ``field`` has its place in the batch."""

    code: str
    field: str
    message: str


class EventsRefused(DomainError):
    """Events that cannot be booked: none of the batch is.  ``problems`` has all of them."""

    code: ClassVar[str] = "events_refused"

    def __init__(self, problems: Sequence[EventProblem]) -> None:
        self.problems: Final = tuple(problems)
        super().__init__("; ".join(f"{each.field}: {each.message}" for each in problems))


def tell(*, source: str, events: Sequence[Event], actor: User, now: datetime) -> Booked:
    """Book what a gateway counted: the whole batch, or nothing of it.

    ``source`` is the gateway's own name; teams do not share it.  Events that were told before are
    accepted without effect.  Raises `EventsRefused`, `usage.ToldOtherwise` or
    `usage.TooManyEntries`.
    """
    if len(events) > MOST_EVENTS:
        raise usage.TooManyEntries(f"{len(events)} events at once: send at most {MOST_EVENTS}")
    theirs = _bookings({each.reservation for each in events}, actor, now=now)
    entries, problems = [], []
    for place, event in enumerate(events):
        try:
            entries.append(_entry(source, event, theirs.get(event.reservation), now=now))
        except BadEntry as error:
            field = f"events.{place}.{error.field}"
            problems.append(EventProblem("invalid", field, error.message))
    if problems:
        raise EventsRefused(problems)
    return usage.record(entries, now=now)


def _bookings(wanted: set[UUID], actor: User, *, now: datetime) -> dict[UUID, "Reservation"]:
    """Return those of ``wanted`` that are of teams ``actor`` books for."""
    teams = accounts.teams_bookable_by(actor, now=now)
    visible = reservations.reservations_visible_to(actor, now=now)
    return {each.public_id: each for each in visible.filter(public_id__in=wanted, team__in=teams)}


def _entry(source: str, event: Event, reservation: "Reservation | None", *, now: datetime) -> Usage:
    if reservation is None:
        raise BadEntry("reservation", "there is no such booking of a team you book for")
    end = reservation.released_at or reservation.ends_at
    if event.started_at < reservation.starts_at - CLOCKS_APART:
        begins = reservation.starts_at.isoformat()
        raise BadEntry("started_at", f"is before the booking, which begins {begins}")
    if event.ended_at > end + CLOCKS_APART:
        raise BadEntry("ended_at", f"is after the booking, which ends {end.isoformat()}")
    if event.ended_at > now + CLOCKS_APART:
        raise BadEntry("ended_at", f"is in the future: it is {now.isoformat()}")
    try:
        return Usage(
            source=f"{reservation.team.slug}/{source}",
            event_id=event.event_id,
            booking=Booking(
                reservation.pk,
                reservation.team_id,
                reservation.pool_id,
                reservation.starts_at,
                reservation.ends_at,
            ),
            engine=event.engine,
            model=event.model,
            started_at=event.started_at,
            ended_at=event.ended_at,
            prompt_computed=event.prompt_computed,
            prompt_cached=event.prompt_cached,
            generated=event.generated,
            requests=1,
        )
    except BadEntry as error:
        named = {"event_id": "id"}.get(error.field, error.field)
        raise BadEntry(named, error.message) from error
