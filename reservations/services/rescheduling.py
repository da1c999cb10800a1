"""Moving a booking that has not started: another window, another type, another pool."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.core import locks
from gpuaas.inventory.models import Pool
from reservations import lifecycle, placement, policy, selectors
from reservations.models import DeviceHold, Reservation
from reservations.services import admission, holds, line, offers, rules, telling
from reservations.services.booking import Terms, exclusion_as_busy
from reservations.services.refusals import CannotChange, StaleReservation, WishRefused
from reservations.services.under_lock import ledger_stands, lock_waiting
from reservations.services.wishes import Wish

_FIELDS: Final = (
    "resource_name",
    "units",
    "mode",
    "cpu_millicores",
    "memory_mib",
    "storage_gib",
    "purpose",
    "starts_at",
    "ends_at",
    "cost_minor",
)


def move(
    *, reservation: Reservation, pool: Pool, wish: Wish, actor: User, now: datetime
) -> Reservation:
    """Make ``wish`` in ``pool`` of a booking that has not started: all of it, or nothing.

    It keeps its number.  The rules look at it as at a new booking, but for itself: what it holds
    and costs by now does not stand against it.  Both pools' capacity locks are taken, the lower
    number first, so that two moves the other way round do not wait for each other.

    Raises:
        CannotChange: it has started, is over, or is not booked yet.
        WishRefused: rules speak against it.
        PoolFull: there is no room; it stays what it is.
        StaleReservation: somebody changed it meanwhile.
        LockBusy: too many were booking at once.
    """
    locks.refuse_enclosing_transaction()
    if lifecycle.State(reservation.state) != lifecycle.State.APPROVED:
        raise CannotChange("only what is booked and has not started can be moved")
    came_from = reservation.placed_on.pool or reservation.pool
    for _ in range(admission.EVALUATIONS):
        terms = _terms(reservation, pool, wish, now)
        rules.ensure_ledger(reservation.team, terms)
        with exclusion_as_busy(), transaction.atomic(durable=True):
            for pk in sorted({came_from.pk, pool.pk}):
                locks.hold_until_commit(
                    locks.LockSpace.POOL_CAPACITY, pk, wait_at_most=admission.ADMISSION_LOCK_WAIT
                )
            if not ledger_stands(reservation.team, terms):
                continue
            line.serve(pool=pool, now=now)
            place = _find_place(reservation, pool, wish, now)
            if place is not None:
                _write(reservation, pool, wish, place, terms, actor=actor, now=now)
                break
            transaction.set_rollback(True)
        # What else there is, is looked for without the lock.
        raise offers.pool_full(
            pool=pool,
            team=reservation.team,
            wish=wish,
            now=now,
            aside=reservation.overridden,
            besides=reservation.pk,
        )
    else:
        raise locks.LockBusy("others of your team are booking right now: try again")
    line.room_made(pool=came_from, now=now)
    return reservation


def _terms(reservation: Reservation, pool: Pool, wish: Wish, now: datetime) -> Terms:
    asked = rules.evaluate(
        pool=pool, team=reservation.team, wish=wish, now=now, besides=reservation.pk
    )
    against = [
        each for each in asked.problems if not _stays_approved(reservation, wish, asked.terms, each)
    ]
    if against:
        raise WishRefused(against)
    return asked.terms


def _stays_approved(
    reservation: Reservation, wish: Wish, terms: Terms, problem: policy.Problem
) -> bool:
    """Return whether it was set aside for as much, as long and as dear a booking."""
    return (
        problem.code in reservation.overridden
        and wish.resource_name == reservation.resource_name
        and wish.units <= reservation.units
        and wish.window.length <= reservation.window.length
        and terms.cost_minor <= reservation.cost_minor
    )


def _find_place(
    reservation: Reservation, pool: Pool, wish: Wish, now: datetime
) -> placement.Placement | None:
    while True:
        place = placement.place(
            _without(reservation, selectors.node_states(pool, now=now)),
            resource_name=wish.resource_name,
            demand=wish.demand,
            window=wish.window,
        )
        if place is None or lock_waiting(place.moved):
            return place


def _without(
    reservation: Reservation, states: Sequence[placement.NodeState]
) -> list[placement.NodeState]:
    return [
        replace(
            state, held=tuple(each for each in state.held if each.reservation != reservation.pk)
        )
        for state in states
    ]


def _write(
    reservation: Reservation,
    pool: Pool,
    wish: Wish,
    place: placement.Placement,
    terms: Terms,
    *,
    actor: User,
    now: datetime,
) -> None:
    """Compare-and-swap on what was read; then the devices, all going before any comes."""
    new: dict[str, Any] = {
        "resource_name": wish.resource_name,
        "units": wish.units,
        "mode": wish.mode.value,
        "cpu_millicores": wish.cpu_millicores,
        "memory_mib": wish.memory_mib,
        "storage_gib": wish.storage_gib,
        "purpose": wish.purpose,
        "starts_at": wish.window.starts_at,
        "ends_at": wish.window.ends_at,
        "cost_minor": terms.cost_minor,
    }
    old = {name: getattr(reservation, name) for name in _FIELDS}
    changed_rows = Reservation.objects.filter(
        pk=reservation.pk, state=reservation.state, pool=reservation.pool, **old
    ).update(pool=pool, node=place.node, currency=terms.currency, **new)
    if changed_rows == 0:
        raise StaleReservation("somebody else changed this reservation just now: look again")
    changes = {
        name: [_plain(old[name]), _plain(new[name])] for name in _FIELDS if old[name] != new[name]
    }
    if pool != reservation.pool:
        changes["pool"] = [reservation.pool.slug, pool.slug]
    DeviceHold.objects.filter(reservation=reservation).delete()
    for name, value in new.items():
        setattr(reservation, name, value)
    reservation.pool, reservation.node_id = pool, place.node
    holds.exchange(place.moved, at=now)
    holds.hold(reservation, place.devices)
    audit.record(
        "reservation.rescheduled",
        subject=reservation.subject,
        actor=actor,
        team=reservation.team,
        at=now,
        changes=changes,
    )
    event = "reservation.changed"
    key = f"{event}:{reservation.public_id}:{now.isoformat()}"
    telling.tell(event, reservation=reservation, actor=actor, at=now, key=key)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
