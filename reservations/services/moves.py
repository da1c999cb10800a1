"""Moves along the lifecycle: compare-and-swap on the one table of moves."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from reservations import lifecycle
from reservations.models import BookingFlag, Reservation
from reservations.services import holds, line, telling
from reservations.services.refusals import StaleReservation


def cancel(*, reservation: Reservation, actor: User, now: datetime) -> None:
    """End a reservation that is not wanted any more, started or not; its capacity comes back."""
    transition(
        reservation=reservation,
        target=lifecycle.State.CANCELED,
        reason=f"canceled by {actor}",
        actor=actor,
        now=now,
    )


def give_back(*, reservation: Reservation, actor: User, now: datetime) -> None:
    """End an active reservation early, its work done; its capacity comes back at once."""
    transition(
        reservation=reservation,
        target=lifecycle.State.COMPLETED,
        reason=f"given back early by {actor}",
        actor=actor,
        now=now,
    )


def release_no_show(*, reservation: Reservation, now: datetime) -> None:
    """Give back what nobody came for; it is counted."""
    transition(
        reservation=reservation,
        target=lifecycle.State.COMPLETED,
        reason="nobody used it, and it was given back for others",
        actor=None,
        now=now,
        event="reservation.no_show",
        fields={"is_no_show": True},
    )


def release_idle(*, reservation: Reservation, idle_since: datetime, now: datetime) -> None:
    """Give back what nobody has used since ``idle_since``; it is counted."""
    transition(
        reservation=reservation,
        target=lifecycle.State.COMPLETED,
        reason=f"nothing worked in it since {idle_since:%Y-%m-%d %H:%M} UTC, and it was given back",
        actor=None,
        now=now,
        event="reservation.idle_released",
        fields={"was_idle": True},
    )


def fail_missed(*, reservation: Reservation, now: datetime) -> None:
    """Fail a reservation that was never started, its window being over."""
    flag = BookingFlag.objects.filter(reservation=reservation, resolved_at=None).first()
    reason = "the platform could not start it before its window ended"
    transition(
        reservation=reservation,
        target=lifecycle.State.FAILED,
        reason=f"{reason}: {flag.detail}" if flag else reason,
        actor=None,
        now=now,
    )


def begin_end(*, reservation: Reservation, now: datetime) -> None:
    """Note that what runs for the reservation is being removed: its end stands from now on.

    One that is not live any more cannot be extended anyway.

    Raises:
        StaleReservation: somebody extended it meanwhile; then nothing may be removed.
    """
    if not reservation.is_live:
        return
    changed_rows = Reservation.objects.filter(
        pk=reservation.pk, ends_at=reservation.ends_at
    ).update(end_begun_at=now)
    if changed_rows == 0:
        raise StaleReservation("it was extended just now: look again")
    reservation.end_begun_at = now


def transition(
    *,
    reservation: Reservation,
    target: lifecycle.State,
    reason: str,
    actor: User | None,
    now: datetime,
    event: str = "",
    fields: Mapping[str, object] | None = None,
) -> None:
    """Move ``reservation`` one step along its lifecycle, and set ``fields`` with it.

    People are told of ``event``, or else of the state that it is in now; not of its start.

    Compare-and-swap instead of a row lock: the UPDATE names the state and the end we read, so of
    two writers exactly one changes a row and the other raises `StaleReservation`.  A move to a
    terminal state gives the devices back from ``now`` on; that takes no lock.  What was never
    more than held gives all of them back, and its whole cost, however late it ends.
    """
    source = lifecycle.State(reservation.state)
    lifecycle.check_transition(source, target)
    changes: dict[str, object] = {
        "state": target.value,
        "state_reason": reason[:300],
        "state_changed_at": now,
        **(fields or {}),
    }
    if source == lifecycle.State.PENDING:
        changes |= {"pending_on": "", "approver": None, "held_until": None}
    released_at = _released_at(reservation, now=now) if target in lifecycle.TERMINAL else None
    if released_at is not None:
        changes["released_at"] = released_at
    with transaction.atomic():
        # The end too: by it we decided whether there are devices to give back.
        changed_rows = Reservation.objects.filter(
            pk=reservation.pk, state=source.value, ends_at=reservation.ends_at
        ).update(**changes)
        if changed_rows == 0:
            raise StaleReservation("somebody else changed this reservation just now: look again")
        if released_at is not None:
            holds.release(reservation, released_at)
        audit.record(
            f"reservation.{target.value.lower()}",
            subject=reservation.subject,
            actor=actor,
            team=reservation.team,
            at=now,
            came_from=source.value,
            reason=reason,
        )
        if target != lifecycle.State.ACTIVE:
            event = event or f"reservation.{target.value.lower()}"
            telling.tell(event, reservation=reservation, actor=actor, at=now, reason=reason)
    for name, value in changes.items():
        setattr(reservation, name, value)
    if released_at is not None and source != lifecycle.State.WAITLISTED:
        line.room_made(pool=reservation.pool, now=now)


def _released_at(reservation: Reservation, *, now: datetime) -> datetime | None:
    """Return when the capacity of one that ends comes back; None: at the end of its window."""
    if lifecycle.State(reservation.state) in lifecycle.IS_NO_BOOKING_YET:
        return min(now, reservation.starts_at)
    return now if now < reservation.ends_at else None
