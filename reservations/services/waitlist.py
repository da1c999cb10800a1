"""Waiting in line: joining, taking what is held, passing it on, and what time does to a line."""

import logging
from datetime import datetime
from typing import Final

from django.db import transaction

from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core import errors, locks
from gpuaas.inventory.models import Pool
from reservations import policy, selectors
from reservations.lifecycle import PendingOn, State
from reservations.models import Reservation
from reservations.services import admission, approvals, line, moves
from reservations.services.booking import Booking, Terms
from reservations.services.refusals import PoolFull, StaleReservation, WishRefused
from reservations.services.wishes import Wish

logger = logging.getLogger(__name__)

IN_LINE_AT_MOST: Final = 20
END_AT_ONCE: Final = 200


def book_or_wait(
    *,
    pool: Pool,
    team: Team,
    requested_by: User,
    wish: Wish,
    now: datetime,
    ask_approval: bool = False,
    booked_by: User | None = None,
) -> Reservation:
    """Book ``wish``, or put it into line where nothing but room is missing.

    In line it is WAITLISTED: it holds nothing and costs nothing.  Its place is by when it joined.

    Raises:
        NotYourTeam, WishRefused, LockBusy: as `admit`; also where the team has `IN_LINE_AT_MOST`
            wishes in line already.
        PoolFull: it would start at once: nobody can wait for that.
    """
    try:
        return admission.admit(
            pool=pool,
            team=team,
            requested_by=requested_by,
            wish=wish,
            now=now,
            ask_approval=ask_approval,
            booked_by=booked_by,
        )
    except PoolFull:
        if wish.window.starts_at <= now:
            raise
    joined = _join(Booking(pool, team, requested_by, wish, Terms(), now, booked_by))
    line.room_made(pool=pool, now=now)  # what freed since we were refused
    return joined


def confirm(*, reservation: Reservation, actor: User, now: datetime) -> None:
    """Take what is held: it is booked.  The rules were looked at when it was held.

    Raises:
        NotWaitingForThis: it is not held for its person.
        HoldLapsed: it is too late.
        StaleReservation: somebody else was faster.
    """
    approvals.check_waits_for(reservation, PendingOn.REQUESTER, now=now)
    moves.transition(
        reservation=reservation,
        target=State.APPROVED,
        reason=f"taken by {actor}",
        actor=actor,
        now=now,
    )


def pass_on(*, reservation: Reservation, actor: User, now: datetime) -> None:
    """Leave what is held to the next in line, and the line with it.

    Raises:
        NotWaitingForThis, HoldLapsed, StaleReservation: as `confirm`.
    """
    approvals.check_waits_for(reservation, PendingOn.REQUESTER, now=now)
    moves.transition(
        reservation=reservation,
        target=State.CANCELED,
        reason=f"passed on by {actor}",
        actor=actor,
        now=now,
    )


def tend(*, now: datetime) -> list[Reservation]:
    """Do what time asks for: end what lapsed, and let every line advance; return what is held now.

    Level-triggered: a second call changes nothing, one after an outage misses nothing.
    """
    approvals.lapse_due(now=now)
    _end_passed(now)
    held = []
    for pool in selectors.pools_with_a_line(now=now):
        try:
            held += line.advance(pool=pool, now=now)
        except errors.DomainError as busy:
            logger.info("line put off", extra={"pool": pool.slug, "error": str(busy)})
        except Exception:
            logger.exception("line not served", extra={"pool": pool.slug})
    return held


def _join(booking: Booking) -> Reservation:
    wish, team = booking.wish, booking.team
    with transaction.atomic(durable=True):
        locks.hold_until_commit(
            locks.LockSpace.POOL_CAPACITY,
            booking.pool.pk,
            wait_at_most=admission.ADMISSION_LOCK_WAIT,
        )
        already = selectors.booked_as(wish.public_id, by=booking.requested_by)
        if already is not None:
            return already
        if selectors.in_line(booking.pool, now=booking.now).filter(team=team).count() >= (
            IN_LINE_AT_MOST
        ):
            message = (
                f"{team} has {IN_LINE_AT_MOST} wishes in line for {booking.pool}, the most: "
                "cancel one first"
            )
            raise WishRefused([policy.Problem("line_too_long", "waitlist", message)])
        reservation = booking.on(None)
        reservation.save(force_insert=True)
        audit.record(
            "reservation.waitlisted",
            subject=reservation.subject,
            actor=booking.actor,
            team=team,
            at=booking.now,
            **booking.data,
        )
    return reservation


def _end_passed(now: datetime) -> None:
    """Take out of line what would have started by now."""
    for each in selectors.waited_in_vain(now=now)[:END_AT_ONCE]:
        try:
            moves.transition(
                reservation=each,
                target=State.CANCELED,
                reason="its start passed while it waited in line",
                actor=None,
                now=now,
                event="reservation.hold_lapsed",
            )
        except StaleReservation:
            continue
