"""Booking: the one way in which a reservation comes to be."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import transaction

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.core import locks
from gpuaas.inventory.models import Pool
from reservations import policy, selectors
from reservations.models import Reservation
from reservations.services import approvals, behalf, in_one_call, line, offers, rules
from reservations.services.booking import Answer, Booking, Outcome, exclusion_as_busy
from reservations.services.refusals import NotYourTeam, WishRefused
from reservations.services.under_lock import book_under_lock, ledger_stands, lock_waiting
from reservations.services.wishes import Wish

__all__ = ["admit", "admit_by_moving_others", "book_under_lock", "ledger_stands", "lock_waiting"]

ADMISSION_LOCK_WAIT: Final = timedelta(seconds=3)
# How often a team's limits are evaluated anew because somebody else of the team was faster.
EVALUATIONS: Final = 5
# The largest number that a booking's columns hold.
_COLUMN: Final = 2**31 - 1


def admit(  # noqa: PLR0913 -- one name for each thing there is to say
    *,
    pool: Pool,
    team: Team,
    requested_by: User,
    wish: Wish,
    now: datetime,
    approval: rules.Approval | None = None,
    ask_approval: bool = False,
    booked_by: User | None = None,
) -> Reservation:
    """Book ``wish`` in ``pool``, or hold it until somebody approves it, or refuse.

    1. Refuse what no lock can help: rules, types the pool has not, a team that is not theirs.
       ``approval`` sets aside what its giver may set aside.  What somebody else may set aside
       makes it PENDING on them, where nothing but a threshold of approval is against it, or where
       the caller says ``ask_approval``.
    2. In one call of the database: take the pool's capacity lock, so that admissions to one pool
       run one at a time; read what is booked, as it is *now*; find a place; insert the reservation,
       its device holds and what is told of it.
    3. Where only fragmentation stands in the way, or somebody waits in line for some of the same
       time, do the same from here: serve the line first, then move the holds of others that have
       not started.

    ``booked_by`` is who does it for ``requested_by``, a mate of a team that they manage.

    A wish that ``requested_by`` has booked before is not booked again: its reservation is returned,
    even if its window has begun meanwhile.

    Nothing encloses it: an enclosing transaction would keep the lock past our return, and could
    still roll back a booking the caller believes in.

    Raises:
        NotYourTeam: ``requested_by`` may not book for ``team``, or ``booked_by`` not for others.
        WishRefused: rules speak against it.
        PoolFull: there is no room.
        LockBusy: too many were booking at once.
    """
    locks.refuse_enclosing_transaction()
    if booked_by == requested_by:
        booked_by = None
    check_team(team, requested_by, booked_by, approval, now)
    for _ in range(EVALUATIONS):
        asked = _evaluate(pool, team, wish, approval, now)
        booking = Booking(pool, team, requested_by, wish, asked.terms, now, booked_by)
        if asked.problems:
            already = selectors.booked_as(wish.public_id, by=requested_by)
            if already is not None:
                return already
            booking = approvals.held(booking, asked.problems, approval, ask=ask_approval)
        rules.ensure_ledger(team, booking.terms)
        answer = _put(booking)
        if answer.reservation is not None:
            return answer.reservation
        if answer.outcome == Outcome.FULL:
            impossible = rules.problems_with_hardware(pool, wish)
            if impossible:
                raise WishRefused(impossible)
            # The search for another window takes longer than anything above, and needs no lock.
            aside = {*asked.terms.overridden, *(each.code for each in asked.problems)}
            raise offers.pool_full(pool=pool, team=team, wish=wish, now=now, aside=aside)
    raise locks.LockBusy("others of your team are booking right now: try again")


def _put(booking: Booking) -> Answer:
    """Book it in one call; from here where others move, or where two people or teams are in it."""
    if booking.booked_by is not None or booking.terms.ledgers_of:
        return admit_by_moving_others(booking)
    answer = in_one_call.admit(booking, wait_at_most=ADMISSION_LOCK_WAIT)
    if answer.outcome in (Outcome.FRAGMENTED, Outcome.LINE):
        return admit_by_moving_others(booking)
    return answer


def _evaluate(
    pool: Pool, team: Team, wish: Wish, approval: rules.Approval | None, now: datetime
) -> rules.Evaluation:
    """Look at the hardware only where something is refused anyway, or exceeds every column."""
    ask = partial(rules.evaluate, pool=pool, team=team, wish=wish, now=now, approval=approval)
    most = max(wish.units, wish.cpu_millicores, wish.memory_mib, wish.storage_gib)
    quick = ask(with_hardware=most > _COLUMN)
    return ask() if quick.problems else quick


def check_team(
    team: Team,
    requested_by: User,
    booked_by: User | None,
    approval: rules.Approval | None,
    now: datetime,
) -> None:
    """Refuse people who may not book for ``team``; a platform administrator may, to approve.

    Raises:
        NotYourTeam: ``requested_by`` may not, or ``booked_by`` may not do it for them.
    """
    if booked_by is not None and booked_by != requested_by:
        behalf.check_may_book_for_others(team, actor=booked_by, now=now)
    if accounts.may_book_for(team, person=requested_by, now=now):
        return
    authority = rules.authority_over(team, person=requested_by, now=now) if approval else None
    if authority is not policy.Approver.PLATFORM_ADMIN:
        raise NotYourTeam(f"you cannot book for {team}: ask its manager to make you a member")


def admit_by_moving_others(booking: Booking) -> Answer:
    """Book it with several reads under the lock, where fragmentation or a line stands in the way.

    The line is served first: who waits in it is not overtaken.
    """
    with exclusion_as_busy(), transaction.atomic(durable=True):
        locks.hold_until_commit(
            locks.LockSpace.POOL_CAPACITY, booking.pool.pk, wait_at_most=ADMISSION_LOCK_WAIT
        )
        already = selectors.booked_as(booking.wish.public_id, by=booking.requested_by)
        if already is not None:
            return Answer(Outcome.ALREADY, already)
        line.serve(pool=booking.pool, now=booking.now)
        return book_under_lock(booking)
