"""The line for capacity that is taken: who is first, and can have what is free, is held it."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import transaction

from gpuaas.accounts import selectors as accounts
from gpuaas.audit import services as audit
from gpuaas.core import errors, locks
from gpuaas.inventory.models import Pool
from reservations import facts, placement, selectors
from reservations.lifecycle import PendingOn, State
from reservations.models import Reservation
from reservations.services import holds, rules, telling
from reservations.services.booking import (
    Booking,
    Hold,
    exclusion_as_busy,
    hold_until_approved,
)
from reservations.services.under_lock import find_place, ledger_stands
from reservations.services.wishes import wish_of

logger = logging.getLogger(__name__)

HOLD: Final = timedelta(minutes=30)
LOCK_WAIT: Final = timedelta(milliseconds=500)
# Others wait for the pool's lock meanwhile.
AT_ONCE: Final = 20
LOOKED_AT: Final = 200


def advance(*, pool: Pool, now: datetime) -> list[Reservation]:
    """Hold what is free in ``pool`` for those in line; return what is held now.

    Looks first without the lock: mostly nobody waits, or nothing of it is free.

    Raises:
        LockBusy: too many were booking at once; nothing was done.
    """
    if not next(_fitting(pool, now), None):
        return []
    with exclusion_as_busy(), transaction.atomic():
        locks.hold_until_commit(locks.LockSpace.POOL_CAPACITY, pool.pk, wait_at_most=LOCK_WAIT)
        return serve(pool=pool, now=now)


def room_made(*, pool: Pool, now: datetime) -> None:
    """Have the line of ``pool`` advance once what made room is committed.

    Nothing is lost where that fails: the next tick, and whoever books next, serves the line too.
    """
    transaction.on_commit(partial(_advance_quietly, pool, now))


def serve(*, pool: Pool, now: datetime) -> list[Reservation]:
    """Hold what is free for those in line; the caller holds the pool's capacity lock.

    The first in line that fits gets it; whoever does not fit, or whom rules are against at the
    moment, stays where they are and does not hold up the others.
    """
    held: list[Reservation] = []
    for each in _fitting(pool, now):
        if _hold(each, pool, now):
            held.append(each)
        if len(held) == AT_ONCE:
            break
    return held


def _advance_quietly(pool: Pool, now: datetime) -> None:
    try:
        advance(pool=pool, now=now)
    except errors.DomainError as busy:
        logger.info("line put off", extra={"pool": pool.slug, "error": str(busy)})
    except Exception:
        logger.exception("line not served", extra={"pool": pool.slug})


def _fitting(pool: Pool, now: datetime) -> Iterator[Reservation]:
    """Yield those in line for which there was room when it was looked, in their order."""
    waiting = list(selectors.in_line(pool, now=now)[:LOOKED_AT])
    states = selectors.node_states(pool, now=now) if waiting else []
    for each in waiting:
        wish = wish_of(each)
        if placement.place(
            states, resource_name=wish.resource_name, demand=wish.demand, window=wish.window
        ):
            yield each


def _hold(reservation: Reservation, pool: Pool, now: datetime) -> bool:
    """Hold it for its person, or until it is approved; return whether it could be had."""
    team, person = reservation.team, reservation.requested_by
    if not accounts.teams_bookable_by(person, now=now).filter(pk=team.pk).exists():
        return False
    wish = wish_of(reservation)
    asked = rules.evaluate(pool=pool, team=team, wish=wish, now=now, besides=reservation.pk)
    hold = _terms_of_hold(reservation, asked, now)
    if hold is None:
        return False
    place = find_place(Booking(pool, team, person, wish, asked.terms, now))
    if place is None:
        return False
    rules.ensure_ledger(team, asked.terms)
    if not ledger_stands(team, asked.terms):
        return False
    changes: dict[str, object] = {
        "state": State.PENDING.value,
        "state_changed_at": now,
        "node_id": place.node,
        "cost_minor": asked.terms.cost_minor,
        "currency": asked.terms.currency,
        **hold.fields,
    }
    waiting = Reservation.objects.filter(pk=reservation.pk, state=State.WAITLISTED.value)
    if waiting.update(**changes) == 0:
        return False
    for name, value in changes.items():
        setattr(reservation, name, value)
    holds.exchange(place.moved, at=now)
    holds.hold(reservation, place.devices)
    _say(reservation, hold, now)
    return True


def _terms_of_hold(reservation: Reservation, asked: rules.Evaluation, now: datetime) -> Hold | None:
    """Return for whose word it is held, and how long; None: rules are against it."""
    starts_at = reservation.starts_at
    if not asked.problems:
        minutes = facts.pool_rules(reservation.pool).hold_minutes
        lasts = HOLD if minutes is None else timedelta(minutes=minutes)
        return Hold(PendingOn.REQUESTER, min(starts_at, now + lasts))
    if any(each.code != "approval_needed" for each in asked.problems):
        return None
    return hold_until_approved(asked.problems, reservation.window, now=now)


def _say(reservation: Reservation, hold: Hold, now: datetime) -> None:
    on_person = hold.pending_on == PendingOn.REQUESTER
    event = "reservation.held" if on_person else "reservation.pending"
    team = reservation.team
    audit.record(
        event,
        subject=reservation.subject,
        actor=None,
        team=team,
        at=now,
        came_from=State.WAITLISTED.value,
        **hold.data,
    )
    telling.tell(
        event,
        reservation=reservation,
        actor=None,
        at=now,
        held_until=hold.until.isoformat(),
        approver=hold.data.get("approver"),
    )
