"""Reading calendar feeds: whose they are, and what is in one."""

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import QuerySet

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.audit import selectors as audit
from gpuaas.core import words
from gpuaas.feeds.calendars import Entry, Status
from gpuaas.feeds.models import CalendarFeed
from reservations import calendar
from reservations.capacity import Window
from reservations.lifecycle import State

if TYPE_CHECKING:
    from reservations.models import Reservation

BACK: Final = timedelta(days=30)
AHEAD: Final = timedelta(days=180)
# How long calendar programs get to hear that something was canceled.
CANCELED_FOR: Final = timedelta(days=14)
ENTRIES_AT_MOST: Final = 1_000

_STATUS: Final = {
    State.WAITLISTED: Status.TENTATIVE,
    State.PENDING: Status.TENTATIVE,
    State.APPROVED: Status.CONFIRMED,
    State.ACTIVE: Status.CONFIRMED,
    State.COMPLETED: Status.CONFIRMED,
    State.CANCELED: Status.CANCELLED,
    State.FAILED: Status.CANCELLED,
}


def digest_of(secret: str) -> str:
    """Return what is kept of a secret.  It is 192 random bits: a slow hash would guard no more."""
    return hashlib.sha256(secret.encode()).hexdigest()


def feeds_of(person: User) -> QuerySet[CalendarFeed]:
    """Return the feeds of ``person`` that were not revoked, newest first."""
    return CalendarFeed.objects.filter(person=person, revoked_at=None).select_related(
        "team", "pool"
    )


def feed_behind(secret: str, *, now: datetime) -> CalendarFeed | None:
    """Return the feed at an address; None if there is none that its person may still see."""
    found = (
        CalendarFeed.objects.filter(digest=digest_of(secret), revoked_at=None)
        .select_related("person", "team", "pool")
        .first()
    )
    if found is None or not found.person.is_active:
        return None
    team = found.team
    if team is not None and not _is_open(team.pk, found.person, now=now):
        return None
    return found


def _is_open(team: int, person: User, *, now: datetime) -> bool:
    visible = accounts.teams_visible_to(person, now=now)
    return visible.filter(pk=team, is_active=True).exists()


def entries_of(feed: CalendarFeed, *, now: datetime) -> list[Entry]:
    """Return what is in ``feed``, by start: the nearest `ENTRIES_AT_MOST` at most.

    From a month back to half a year ahead, and what was canceled lately.  In a pool's feed the
    bookings that its person may not see have neither name nor number.
    """
    booked = calendar.booked(
        of=feed.team or feed.pool or feed.person,
        within=Window(now - BACK, now + AHEAD),
        ended_after=now - CANCELED_FOR,
        at_most=ENTRIES_AT_MOST,
        now=now,
    )
    teams = accounts.teams_visible_to(feed.person, now=now)
    visible = set(teams.values_list("pk", flat=True))
    told = [each for each in booked if each.team_id in visible or feed.kind == "pool"]
    changed = audit.last_events_of(each.subject for each in told)
    return [
        _entry(
            each,
            feed,
            changed_at=changed.get(each.subject, each.state_changed_at),
            is_open=each.team_id in visible,
        )
        for each in told
    ]


def _entry(
    reservation: "Reservation", feed: CalendarFeed, *, changed_at: datetime, is_open: bool
) -> Entry:
    status = _STATUS[State(reservation.state)]
    what = words.amount(reservation.units, reservation.resource_name)
    number = str(reservation.public_id)
    return Entry(
        uid=f"{number if is_open else _stand_in(number, feed)}@gpuaas",
        sequence=reservation.version - 1,
        changed_at=changed_at,
        starts_at=reservation.starts_at,
        ends_at=_ends_at(reservation, status),
        status=status,
        summary=_summary(reservation, feed, what) if is_open else f"Booked: {what}",
        description=_description(reservation) if is_open else "",
        url=f"{settings.BASE_URL.rstrip('/')}/reservations/{number}/" if is_open else "",
    )


def _ends_at(reservation: "Reservation", status: Status) -> datetime:
    """Return when it was over: one that was given back ended before its window did."""
    released_at = reservation.released_at
    if status == Status.CANCELLED or released_at is None or released_at <= reservation.starts_at:
        return reservation.ends_at
    return released_at


def _summary(reservation: "Reservation", feed: CalendarFeed, what: str) -> str:
    purpose = " ".join(reservation.purpose.split())
    who = reservation.requested_by.get_full_name() or reservation.requested_by.get_username()
    parts = (what, purpose, "" if feed.kind == "person" else who)
    return ", ".join(part for part in parts if part)


def _description(reservation: "Reservation") -> str:
    state = reservation.state.capitalize()
    reason = f": {reservation.state_reason}" if reservation.state_reason else ""
    return f"{reservation.team.name}, {reservation.pool}. {state}{reason}"


def _stand_in(number: str, feed: CalendarFeed) -> str:
    """Return what stands for the number of a booking of others: stable, and of this feed alone."""
    return hashlib.sha256(f"{feed.digest}:{number}".encode()).hexdigest()[:32]
