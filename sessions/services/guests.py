"""Whom the owner of a booking lets into its workspace besides."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import transaction

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.core import errors
from reservations import lifecycle
from sessions import selectors
from sessions.models import Guest
from sessions.services.kubeconfigs import NotYourWorkspace

if TYPE_CHECKING:
    from reservations.models import Reservation

MOST_GUESTS: Final = 20


class NotATeamMate(errors.DomainError):
    """A workspace is shared inside its team only."""

    code = "not_a_team_mate"


class TooManyGuests(errors.DomainError):
    """It is shared with as many people as it can be."""

    code = "too_many_guests"


class NothingToShare(errors.DomainError):
    """The booking is over."""

    code = "nothing_to_share"


def share(*, reservation: "Reservation", name: str, actor: User, now: datetime) -> Guest:
    """Let the team mate called ``name`` (user name or address) in; again it changes nothing.

    Raises:
        NotYourWorkspace: ``actor`` did not book it.
        NothingToShare: the booking is over.
        NotATeamMate: nobody else in the team is called so.
        TooManyGuests: `MOST_GUESTS` are let in already.
    """
    _require_owner(reservation, actor)
    if reservation.state in {state.value for state in lifecycle.TERMINAL}:
        raise NothingToShare(f"the booking is {reservation.state.lower()}: its workspace is gone")
    person = accounts.person_called(name)
    if person is None or not _belongs(person, reservation, now):
        raise NotATeamMate(f"nobody else in {reservation.team} is called {name[:80]}")
    with transaction.atomic():
        guests = Guest.objects.filter(reservation=reservation)
        there = guests.filter(person=person).first()
        if there is not None:
            return there
        if guests.count() >= MOST_GUESTS:
            raise TooManyGuests(f"it is shared with {MOST_GUESTS} people, and that is the most")
        guest = Guest(reservation=reservation, person=person, invited_at=now)
        Guest.objects.bulk_create([guest], ignore_conflicts=True)  # of two at once one is enough
        _record("workspace.shared", reservation, person, actor, now)
        return guests.get(person=person)


def unshare(*, reservation: "Reservation", person: User, actor: User, now: datetime) -> bool:
    """Let ``person`` in no more; return whether they were.  A guest may also leave by themselves.

    Raises:
        NotYourWorkspace: ``actor`` neither booked it nor is that guest.
    """
    if actor.pk != person.pk:
        _require_owner(reservation, actor)
    with transaction.atomic():
        deleted, _ = Guest.objects.filter(reservation=reservation, person=person).delete()
        if deleted:
            _record("workspace.unshared", reservation, person, actor, now)
    return bool(deleted)


def _require_owner(reservation: "Reservation", actor: User) -> None:
    if reservation.requested_by_id != actor.pk:
        raise NotYourWorkspace(f"only {reservation.requested_by} shares this workspace")


def _belongs(person: User, reservation: "Reservation", now: datetime) -> bool:
    mates = selectors.team_mates(reservation, now=now)
    return mates.filter(pk=person.pk).exists()


def _record(
    action: str, reservation: "Reservation", person: User, actor: User, now: datetime
) -> None:
    audit.record(
        action,
        subject=reservation.subject,
        actor=actor,
        at=now,
        team=reservation.team,
        person=person.get_username(),
    )
