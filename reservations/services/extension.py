"""Ending later: how long a booking can be extended, and extending it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.core import locks
from gpuaas.inventory.models import Pool
from reservations import answers, lifecycle, placement, policy, selectors
from reservations.answers import Bound, Extension
from reservations.capacity import Window
from reservations.models import DeviceHold, Reservation
from reservations.services import admission, holds, telling
from reservations.services.booking import exclusion_as_busy
from reservations.services.refusals import CannotExtend, StaleReservation, WishRefused

_AGAIN = "somebody else changed this reservation just now: look again"


@dataclass(frozen=True, slots=True)
class _Calendar:
    """The booking as it stands among the others of its node; ``held`` is its own entry."""

    states: list[placement.NodeState]
    node: placement.NodeState
    held: placement.Held


def longest_extension(*, reservation: Reservation, now: datetime) -> Extension:
    """Return the latest end that the reservation can have at the moment, and what bounds it.

    Raises:
        CannotExtend: it is over, or its node is out of service.
    """
    return _longest(reservation, _calendar(reservation, now))


def extend(
    *, reservation: Reservation, ends_at: datetime | None, actor: User, now: datetime
) -> Reservation:
    """Let the reservation end later: at ``ends_at``, or as late as possible where that is None.

    Under the pool's capacity lock, as admission.  One that has started keeps its devices; bookings
    that have not are moved out of its way.  The end it has already is no change and no error.

    Raises:
        CannotExtend: there is no room until then; it says until when there is.
        WishRefused: rules speak against the new end.
        StaleReservation: somebody changed it, or its session is being stopped already.
        LockBusy: too many were booking at once.
    """
    locks.refuse_enclosing_transaction()
    if ends_at == reservation.ends_at:
        return reservation
    if ends_at is not None:
        _check_rules(reservation, ends_at, now)
    with exclusion_as_busy(), transaction.atomic(durable=True):
        locks.hold_until_commit(
            locks.LockSpace.POOL_CAPACITY,
            _pool_of(reservation).pk,
            wait_at_most=admission.ADMISSION_LOCK_WAIT,
        )
        found = _find_room(reservation, ends_at, now)
        if isinstance(found, CannotExtend):
            refusal = found
        else:
            _write(reservation, *found, actor=actor, now=now)
            return reservation
    # What comes after it is looked for without the lock.
    raise _with_what_follows(refusal, reservation, ends_at, now)


def _with_what_follows(
    refusal: CannotExtend, reservation: Reservation, ends_at: datetime | None, now: datetime
) -> CannotExtend:
    """Return the refusal with the first window in which the rest of the time could be booked."""
    if ends_at is None:
        return refusal
    calendar = _calendar(reservation, now)
    rest = Window(max(refusal.until, now), max(refusal.until, now) + (ends_at - refusal.until))
    afterwards = answers.first_fit(
        calendar.states,
        resource_name=reservation.resource_name,
        demand=calendar.held.booking.demand,
        window=rest,
        latest=rest.starts_at + selectors.LOOK_AHEAD,
    )
    return CannotExtend(
        ends_at=refusal.ends_at,
        until=refusal.until,
        because=refusal.because,
        afterwards=afterwards if rest.length >= policy.SHORTEST else None,
    )


def _find_room(
    reservation: Reservation, ends_at: datetime | None, now: datetime
) -> tuple[datetime, placement.Placement] | CannotExtend:
    while True:
        calendar = _calendar(reservation, now)
        longest = _longest(reservation, calendar)
        until = longest.until if ends_at is None else ends_at
        place = (
            placement.stretch(calendar.node, calendar.held, until=until)
            if reservation.ends_at < until <= longest.until
            else None
        )
        if place is None:
            return CannotExtend(
                ends_at=reservation.ends_at, until=longest.until, because=longest.because
            )
        if admission.lock_waiting(place.moved):
            return until, place


def _write(
    reservation: Reservation,
    until: datetime,
    place: placement.Placement,
    *,
    actor: User,
    now: datetime,
) -> None:
    """Compare-and-swap on state and end; then the devices, all going before any comes."""
    before = reservation.ends_at
    changed_rows = Reservation.objects.filter(
        pk=reservation.pk, state=reservation.state, ends_at=before, end_begun_at=None
    ).update(ends_at=until)
    if changed_rows == 0:
        raise StaleReservation(_AGAIN)
    reservation.ends_at = until
    DeviceHold.objects.filter(reservation=reservation).delete()
    holds.exchange(place.moved, at=now)
    holds.hold(reservation, place.devices)
    audit.record(
        "reservation.extended",
        subject=reservation.subject,
        actor=actor,
        team=reservation.team,
        at=now,
        came_from=before.isoformat(),
        ends_at=until.isoformat(),
    )
    event = "reservation.extended"
    key = f"{event}:{reservation.public_id}:{until.isoformat()}"
    telling.tell(event, reservation=reservation, actor=actor, at=now, key=key)


def _check_rules(reservation: Reservation, ends_at: datetime, now: datetime) -> None:
    """Refuse an end that is no extension, or that rules forbid for the window as a whole."""
    window = Window(reservation.starts_at, ends_at)
    if ends_at < reservation.ends_at:
        until = f"{reservation.ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        message = f"it ends later than that already: choose an end after {until}"
        raise WishRefused([policy.Problem("not_an_extension", "ends_at", message)])
    found = policy.problems_with(window=window, units=reservation.units, now=now)
    if problems := [each for each in found if each.field == "ends_at"]:
        raise WishRefused(problems)


def _longest(reservation: Reservation, calendar: _Calendar) -> Extension:
    return answers.longest_extension(
        calendar.node, calendar.held, at_most=reservation.starts_at + policy.LONGEST
    )


def _calendar(reservation: Reservation, now: datetime) -> _Calendar:
    live = lifecycle.State(reservation.state) in lifecycle.HOLDS_CAPACITY
    if not live or reservation.ends_at <= now:
        raise CannotExtend(
            ends_at=reservation.ends_at, until=reservation.ends_at, because=Bound.OVER
        )
    states = selectors.node_states(_pool_of(reservation), now=now)
    for state in states:
        for held in state.held:
            if held.reservation == reservation.pk:
                if held.booking.window != reservation.window:
                    raise StaleReservation(_AGAIN)
                return _Calendar(states, state, held)
    if any(state.node == reservation.node_id for state in states):
        raise StaleReservation(_AGAIN)
    raise CannotExtend(
        ends_at=reservation.ends_at, until=reservation.ends_at, because=Bound.OUT_OF_SERVICE
    )


def _pool_of(reservation: Reservation) -> Pool:
    # Where its node is now: that pool's lock guards it.
    return reservation.node.pool or reservation.pool
