"""Booking: the one way in which a reservation comes to be."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import psycopg
from django.db import IntegrityError, transaction

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core import locks
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Node, Pool
from reservations import lifecycle, placement, policy, selectors
from reservations.capacity import Demand
from reservations.models import Reservation
from reservations.services import holds
from reservations.services.refusals import NotYourTeam, PoolFull, WishRefused
from reservations.services.wishes import Wish

ADMISSION_LOCK_WAIT: Final = timedelta(seconds=3)


def problems_with(*, pool: Pool, wish: Wish, now: datetime) -> tuple[policy.Problem, ...]:
    """Return every rule that speaks against ``wish``, however empty the pool is."""
    problems = list(policy.problems_with(window=wish.window, units=wish.units, now=now))
    types = {each.resource_name: each for each in inventory.resource_types(pool)}
    found = types.get(wish.resource_name)
    if found is None:
        message = f"{pool} has no {wish.resource_name}: it has {', '.join(types) or 'no devices'}"
        problems.append(policy.Problem("unknown_type", "resource_name", message))
    elif wish.units > found.devices_per_node:
        message = (
            f"the largest node of {pool} has {found.devices_per_node} of {wish.resource_name}, "
            f"you asked for {wish.units}: a booking lies on one node"
        )
        problems.append(policy.Problem("too_many_units", "units", message))
    problems += policy.problems_with_demand(wish.demand)
    if found is not None:
        nodes = [_all_of(node) for node in inventory.node_capacities(pool).values()]
        problems += policy.problems_with_size(wish.demand, nodes=nodes, where=str(pool))
    return tuple(problems)


def _all_of(node: Node) -> Demand:
    return Demand(
        cpu_millicores=node.cpu_millicores,
        memory_mib=node.memory_mib,
        storage_gib=node.storage_gib,
    )


def admit(*, pool: Pool, team: Team, requested_by: User, wish: Wish, now: datetime) -> Reservation:
    """Book ``wish`` in ``pool``, or refuse.

    1. Refuse what no lock can help: rules, types the pool has not, a team that is not theirs.
    2. Take the pool's capacity lock.  Admissions to one pool now run one at a time.
    3. Read what is booked, as it is *now*, and find a place.
    4. Insert the reservation and its device holds, moving holds of others where that makes room.

    A wish that ``requested_by`` has booked before is not booked again: its reservation is returned,
    even if its window has begun meanwhile.

    The transaction is durable: an enclosing one would keep the lock past our return, and could
    still roll back a booking the caller believes in.

    Raises:
        NotYourTeam: ``requested_by`` may not book for ``team``.
        WishRefused: rules speak against it.
        PoolFull: there is no room.
        LockBusy: too many were booking at once.
    """
    if not accounts.teams_bookable_by(requested_by, now=now).filter(pk=team.pk).exists():
        raise NotYourTeam(f"you cannot book for {team}: ask its manager to make you a member")
    already = selectors.booked_as(wish.public_id, by=requested_by)
    if already is not None:
        return already
    if problems := problems_with(pool=pool, wish=wish, now=now):
        raise WishRefused(problems)
    with _exclusion_as_busy(), transaction.atomic(durable=True):
        locks.hold_until_commit(
            locks.LockSpace.POOL_CAPACITY, pool.pk, wait_at_most=ADMISSION_LOCK_WAIT
        )
        already = selectors.booked_as(wish.public_id, by=requested_by)
        if already is not None:
            return already
        states, place = _find_place(pool, wish, now)
        if place is not None:
            return _book(pool, team, requested_by, wish, place, now)
    # The search for another window takes longer than anything above, and needs no lock.
    raise _pool_full(states, wish, now)


@contextmanager
def _exclusion_as_busy() -> Iterator[None]:
    """Turn the database's own refusal of a double hold into "try again".

    Within one clock it cannot happen.  A device given back a moment after our ``now`` (another
    host's clock, or while we waited for the lock) is free from then on, and not from ``now``.
    """
    try:
        yield
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.ExclusionViolation):
            raise locks.LockBusy("a device changed hands just now: try again") from error
        raise


def _find_place(
    pool: Pool, wish: Wish, now: datetime
) -> tuple[list[placement.NodeState], placement.Placement | None]:
    """Return the calendar as it is now, and where in it the wish goes.

    Canceling and starting take no pool lock.  So the bookings that are to exchange devices are
    locked themselves, and if one of them has left or started meanwhile, we look again.
    """
    while True:
        states = selectors.node_states(pool, now=now)
        place = placement.place(
            states, resource_name=wish.resource_name, demand=wish.demand, window=wish.window
        )
        if place is None or _lock_waiting(place.moved):
            return states, place


def _lock_waiting(reservations: Mapping[int, Sequence[int]]) -> bool:
    """Lock those of ``reservations`` that have not started; return whether that is all of them."""
    if not reservations:
        return True
    waiting = Reservation.objects.filter(
        pk__in=list(reservations), state=lifecycle.State.APPROVED.value
    ).select_for_update()
    return len(waiting.order_by("pk").values_list("pk")) == len(reservations)


def _book(
    pool: Pool,
    team: Team,
    requested_by: User,
    wish: Wish,
    place: placement.Placement,
    now: datetime,
) -> Reservation:
    reservation = _insert(pool, team, requested_by, wish, place.node, now)
    holds.exchange(place.moved, at=now)
    holds.hold(reservation, place.devices)
    audit.record(
        "reservation.approved",
        subject=reservation.subject,
        actor=requested_by,
        team=team,
        at=now,
        pool=pool.slug,
        resource_name=wish.resource_name,
        units=wish.units,
        starts_at=wish.window.starts_at.isoformat(),
        ends_at=wish.window.ends_at.isoformat(),
    )
    return reservation


def _insert(
    pool: Pool, team: Team, requested_by: User, wish: Wish, node_id: int, now: datetime
) -> Reservation:
    return Reservation.objects.create(
        public_id=wish.public_id,
        pool=pool,
        node_id=node_id,
        team=team,
        requested_by=requested_by,
        resource_name=wish.resource_name,
        units=wish.units,
        mode=wish.mode.value,
        cpu_millicores=wish.cpu_millicores,
        memory_mib=wish.memory_mib,
        storage_gib=wish.storage_gib,
        purpose=wish.purpose,
        starts_at=wish.window.starts_at,
        ends_at=wish.window.ends_at,
        state_changed_at=now,
        created_at=now,
    )


def _pool_full(states: Sequence[placement.NodeState], wish: Wish, now: datetime) -> PoolFull:
    frees = [state.free(wish.resource_name, within=wish.window) for state in states]
    best = max(frees, key=lambda free: (free.devices, free.memory_mib), default=Demand())
    nearest = placement.first_fit(
        states,
        resource_name=wish.resource_name,
        demand=wish.demand,
        window=wish.window,
        latest=min(wish.window.starts_at + selectors.LOOK_AHEAD, now + policy.HORIZON),
    )
    return PoolFull(wish=wish, free=best, nearest=nearest)
