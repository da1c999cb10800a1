"""Ending earlier: what it gives back, capacity and cost, comes back at once."""

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Func, Value

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from reservations import facts, lifecycle, policy
from reservations.capacity import Window
from reservations.models import DeviceHold, Reservation
from reservations.services import line, telling
from reservations.services.refusals import CannotChange, StaleReservation, WishRefused


def shorten(
    *, reservation: Reservation, ends_at: datetime, actor: User, now: datetime
) -> Reservation:
    """Let the reservation end earlier, at ``ends_at``; one that runs, after ``now``.

    Takes no lock: it only gives.  The price falls in proportion, rounded half up to the cent.  The
    end it has already is no change and no error.

    Raises:
        CannotChange: it is over, or not booked yet.
        WishRefused: the new end is too early, or none earlier.
        StaleReservation: somebody changed it, or its session is being stopped already.
    """
    if ends_at == reservation.ends_at:
        return reservation
    _check(reservation, ends_at, now)
    before = reservation.window
    after = Window(before.starts_at, ends_at)
    cost_minor = policy.held_cost(reservation.cost_minor, booked=before, held=after)
    with transaction.atomic():
        changed_rows = Reservation.objects.filter(
            pk=reservation.pk,
            state=reservation.state,
            starts_at=before.starts_at,
            ends_at=before.ends_at,
            cost_minor=reservation.cost_minor,
            end_begun_at=None,
        ).update(ends_at=ends_at, cost_minor=cost_minor)
        if changed_rows == 0:
            raise StaleReservation("somebody else changed this reservation just now: look again")
        DeviceHold.objects.filter(reservation=reservation).update(
            during=Func(
                Func("during", function="lower"), Value(ends_at), Value("[)"), function="tstzrange"
            )
        )
        changes = {
            "ends_at": [before.ends_at.isoformat(), ends_at.isoformat()],
            "cost_minor": [reservation.cost_minor, cost_minor],
        }
        reservation.ends_at, reservation.cost_minor = ends_at, cost_minor
        audit.record(
            "reservation.shortened",
            subject=reservation.subject,
            actor=actor,
            team=reservation.team,
            at=now,
            changes=changes,
        )
        event = "reservation.changed"
        key = f"{event}:{reservation.public_id}:{now.isoformat()}"
        telling.tell(event, reservation=reservation, actor=actor, at=now, key=key)
    line.room_made(pool=reservation.placed_on.pool or reservation.pool, now=now)
    return reservation


def _check(reservation: Reservation, ends_at: datetime, now: datetime) -> None:
    state = lifecycle.State(reservation.state)
    if state in lifecycle.TERMINAL or reservation.ends_at <= now:
        raise CannotChange("it is over")
    if state in lifecycle.IS_NO_BOOKING_YET:
        raise CannotChange("it is not booked yet: cancel it, and ask for another window")
    if ends_at > reservation.ends_at:
        message = f"it ends earlier than that already, at {_said(reservation.ends_at)}: extend it"
        raise WishRefused([policy.Problem("not_shorter", "ends_at", message)])
    if state == lifecycle.State.ACTIVE:
        if ends_at <= now:
            message = f"it runs: end it after {_said(now)}, or give it back"
            raise WishRefused([policy.Problem("end_in_the_past", "ends_at", message)])
        return
    earliest = reservation.starts_at + _shortest(reservation)
    if ends_at < earliest:
        message = f"the shortest booking ends at {_said(earliest)} or later: cancel it otherwise"
        raise WishRefused([policy.Problem("window_too_short", "ends_at", message)])


def _shortest(reservation: Reservation) -> timedelta:
    of = facts.standing_rules(
        pool=reservation.pool,
        team=reservation.team,
        resource_name=reservation.resource_name,
        at=reservation.starts_at,
    )
    return max(policy.SHORTEST, *(each.shortest or policy.SHORTEST for each in of.rules.sources))


def _said(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
