"""Booking: the one way in which a reservation comes to be."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core import locks
from gpuaas.inventory.models import Pool
from gpuaas.notifications import services as notifications
from reservations import lifecycle, placement, policy, selectors
from reservations.models import Reservation, TeamLedger
from reservations.services import approvals, holds, in_one_call, offers, rules
from reservations.services.booking import Answer, Booking, Outcome, exclusion_as_busy
from reservations.services.refusals import NotYourTeam
from reservations.services.wishes import Wish

ADMISSION_LOCK_WAIT: Final = timedelta(seconds=3)
# How often a team's limits are evaluated anew because somebody else of the team was faster.
EVALUATIONS: Final = 5


def admit(
    *,
    pool: Pool,
    team: Team,
    requested_by: User,
    wish: Wish,
    now: datetime,
    approval: rules.Approval | None = None,
    ask_approval: bool = False,
) -> Reservation:
    """Book ``wish`` in ``pool``, or hold it until somebody approves it, or refuse.

    1. Refuse what no lock can help: rules, types the pool has not, a team that is not theirs.
       ``approval`` sets aside what its giver may set aside.  What somebody else may set aside
       makes it PENDING on them, where nothing but a threshold of approval is against it, or where
       the caller says ``ask_approval``.
    2. In one call of the database: take the pool's capacity lock, so that admissions to one pool
       run one at a time; read what is booked, as it is *now*; find a place; insert the reservation,
       its device holds and what is told of it.
    3. Where only fragmentation stands in the way, do the same from here, moving the holds of
       others that have not started.

    A wish that ``requested_by`` has booked before is not booked again: its reservation is returned,
    even if its window has begun meanwhile.

    Nothing encloses it: an enclosing transaction would keep the lock past our return, and could
    still roll back a booking the caller believes in.

    Raises:
        NotYourTeam: ``requested_by`` may not book for ``team``.
        WishRefused: rules speak against it.
        PoolFull: there is no room.
        LockBusy: too many were booking at once.
    """
    locks.refuse_enclosing_transaction()
    _check_team(team, requested_by, approval, now)
    for _ in range(EVALUATIONS):
        asked = rules.evaluate(pool=pool, team=team, wish=wish, now=now, approval=approval)
        booking = Booking(pool, team, requested_by, wish, asked.terms, now)
        if asked.problems:
            already = selectors.booked_as(wish.public_id, by=requested_by)
            if already is not None:
                return already
            booking = approvals.held(booking, asked.problems, approval, ask=ask_approval)
        rules.ensure_ledger(team, version=booking.terms.ledger_version)
        answer = in_one_call.admit(booking, wait_at_most=ADMISSION_LOCK_WAIT)
        if answer.outcome == Outcome.FRAGMENTED:
            answer = admit_by_moving_others(booking)
        if answer.reservation is not None:
            return answer.reservation
        if answer.outcome == Outcome.FULL:
            # The search for another window takes longer than anything above, and needs no lock.
            raise offers.pool_full(pool=pool, wish=wish, now=now)
    raise locks.LockBusy("others of your team are booking right now: try again")


def _check_team(
    team: Team, requested_by: User, approval: rules.Approval | None, now: datetime
) -> None:
    """Refuse people who may not book for ``team``; a platform administrator may, to approve."""
    if accounts.teams_bookable_by(requested_by, now=now).filter(pk=team.pk).exists():
        return
    authority = rules.authority_over(team, person=requested_by, now=now) if approval else None
    if authority is not policy.Approver.PLATFORM_ADMIN:
        raise NotYourTeam(f"you cannot book for {team}: ask its manager to make you a member")


def admit_by_moving_others(booking: Booking) -> Answer:
    """Book it where only fragmentation stands in the way, with several reads under the lock."""
    with exclusion_as_busy(), transaction.atomic(durable=True):
        locks.hold_until_commit(
            locks.LockSpace.POOL_CAPACITY, booking.pool.pk, wait_at_most=ADMISSION_LOCK_WAIT
        )
        already = selectors.booked_as(booking.wish.public_id, by=booking.requested_by)
        if already is not None:
            return Answer(Outcome.ALREADY, already)
        return book_under_lock(booking)


def book_under_lock(booking: Booking) -> Answer:
    """Book it, if it has a place; the caller holds the pool's capacity lock."""
    if not ledger_stands(booking.team, version=booking.terms.ledger_version):
        return Answer(Outcome.LEDGER_MOVED)
    place = _find_place(booking)
    return Answer(Outcome.BOOKED, _book(booking, place)) if place else Answer(Outcome.FULL)


def ledger_stands(team: Team, *, version: int | None) -> bool:
    """Raise the team's ledger from the version that its limits were evaluated at."""
    if version is None:
        return True
    ledger = TeamLedger.objects.filter(team=team, version=version)
    return ledger.update(version=version + 1) == 1


def _find_place(booking: Booking) -> placement.Placement | None:
    """Return where in the calendar, as it is now, the wish goes.

    Canceling and starting take no pool lock.  So the bookings that are to exchange devices are
    locked themselves, and if one of them has left or started meanwhile, we look again.
    """
    wish = booking.wish
    while True:
        place = placement.place(
            selectors.node_states(booking.pool, now=booking.now),
            resource_name=wish.resource_name,
            demand=wish.demand,
            window=wish.window,
        )
        if place is None or lock_waiting(place.moved):
            return place


def lock_waiting(reservations: Mapping[int, Sequence[int]]) -> bool:
    """Lock those of ``reservations`` that have not started; return whether that is all of them."""
    if not reservations:
        return True
    waiting = Reservation.objects.filter(
        pk__in=list(reservations), state__in=lifecycle.WAITS_FOR_ITS_START
    ).select_for_update()
    return len(waiting.order_by("pk").values_list("pk")) == len(reservations)


def _book(booking: Booking, place: placement.Placement) -> Reservation:
    reservation = booking.on(place.node)
    reservation.save(force_insert=True)
    holds.exchange(place.moved, at=booking.now)
    holds.hold(reservation, place.devices)
    event, subject, team = booking.event, reservation.subject, booking.team
    audit.record(
        event,
        subject=subject,
        actor=booking.requested_by,
        team=team,
        at=booking.now,
        **booking.data,
    )
    notifications.announce(
        event,
        key=f"{event}:{reservation.public_id}",
        subject=subject,
        team=team,
        at=booking.now,
        data=booking.data,
    )
    return reservation
