"""Everything that changes a reservation.

Public functions are keyword-only, take ``now`` from the caller, write the audit trail in the
transaction that makes the change, and refuse with a `DomainError`.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import psycopg
from django.db import IntegrityError, transaction
from psycopg.types.range import TimestamptzRange

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core import errors, locks
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Node, Pool
from reservations import lifecycle, placement, policy, selectors
from reservations.capacity import Demand, Window
from reservations.models import DeviceHold, Reservation

ADMISSION_LOCK_WAIT: Final = timedelta(seconds=3)
DEFAULT_STORAGE_GIB: Final = 600


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to book.  CPU in thousandths of a core, memory in MiB, storage in GiB.

    ``public_id`` is the wish's own number, and its reservation's: the same wish sent twice is
    booked once.
    """

    resource_name: str
    units: int
    window: Window
    mode: AllocationMode
    cpu_millicores: int
    memory_mib: int
    storage_gib: int = DEFAULT_STORAGE_GIB
    purpose: str = ""
    public_id: uuid.UUID = field(default_factory=uuid.uuid4, compare=False)

    @property
    def demand(self) -> Demand:
        return Demand(self.units, self.cpu_millicores, self.memory_mib, self.storage_gib)


class WishRefused(errors.DomainError):
    """Rules speak against it, however empty the pool is; ``problems`` has every reason."""

    code = "wish_refused"

    def __init__(self, problems: Sequence[policy.Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


class NotYourTeam(errors.DomainError):
    """The person may not book for that team."""

    code = "not_your_team"


class PoolFull(errors.DomainError):
    """No node of the pool has enough left at some instant of the window.

    ``nearest`` is the first window of the same length, from the wanted start on, that has room at
    the moment; None when there is none within 14 days.
    """

    code = "pool_full"

    def __init__(self, *, wish: Wish, free: Demand, nearest: Window | None) -> None:
        super().__init__(f"{_shortage(wish.demand, free)}; {_offer(nearest)}")
        self.wish = wish
        self.free = free
        self.nearest = nearest


class StaleReservation(errors.DomainError):
    """Somebody moved the reservation between our read and our write."""

    code = "stale"


def default_share(resource_type: inventory.ResourceType, *, pool: Pool) -> Demand:
    """Return the CPU and memory that go with one unit unless the booker says otherwise.

    A share of the pool's smallest node, by the GPU memory of its largest, rounded down: the
    devices of every node can all be booked with their default.
    """
    nodes = list(inventory.node_capacities(pool).values())
    gpu_memory = max(inventory.gpu_memory_mib_per_node(pool), 1)
    cpu_millicores = min((node.cpu_millicores for node in nodes), default=0)
    memory_mib = min((node.memory_mib for node in nodes), default=0)
    cpu_cores = cpu_millicores * resource_type.memory_mib // gpu_memory // 1000
    memory_gib = memory_mib * resource_type.memory_mib // gpu_memory // 1024
    return Demand(1, max(1, cpu_cores) * 1000, max(1, memory_gib) * 1024, DEFAULT_STORAGE_GIB)


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


def usual_demand(*, pool: Pool, resource_name: str, units: int) -> Demand:
    """Return what goes with ``units`` of a type unless the booker says otherwise.

    Storage is per booking.  What is refused anyway gets no second complaint from here: a type the
    pool has not comes with the least, more units than a node has with the share of a whole node.
    """
    types = {each.resource_name: each for each in inventory.resource_types(pool)}
    if resource_name not in types:
        return policy.LEAST
    found = types[resource_name]
    one, shares = default_share(found, pool=pool), min(units, found.devices_per_node)
    return Demand(units, one.cpu_millicores * shares, one.memory_mib * shares, one.storage_gib)


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


def fail_missed(*, reservation: Reservation, now: datetime) -> None:
    """Fail a reservation that was never started, its window being over."""
    transition(
        reservation=reservation,
        target=lifecycle.State.FAILED,
        reason="the platform could not start it before its window ended",
        actor=None,
        now=now,
    )


def transition(
    *,
    reservation: Reservation,
    target: lifecycle.State,
    reason: str,
    actor: User | None,
    now: datetime,
) -> None:
    """Move ``reservation`` one step along its lifecycle.

    Compare-and-swap instead of a row lock: the UPDATE names the state we read, so of two writers
    exactly one changes a row and the other raises `StaleReservation`.  A move to a terminal state
    gives the devices back from ``now`` on; that takes no lock.
    """
    source = lifecycle.State(reservation.state)
    lifecycle.check_transition(source, target)
    changes: dict[str, object] = {
        "state": target.value,
        "state_reason": reason[:300],
        "state_changed_at": now,
    }
    if target in lifecycle.TERMINAL and now < reservation.ends_at:
        changes["released_at"] = now
    with transaction.atomic():
        changed_rows = Reservation.objects.filter(pk=reservation.pk, state=source.value).update(
            **changes
        )
        if changed_rows == 0:
            raise StaleReservation("somebody else changed this reservation just now: look again")
        if "released_at" in changes:
            _release_holds(reservation, now)
        audit.record(
            f"reservation.{target.value.lower()}",
            subject=reservation.subject,
            actor=actor,
            team=reservation.team,
            at=now,
            came_from=source.value,
            reason=reason,
        )
    for name, value in changes.items():
        setattr(reservation, name, value)


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
    _move_holds(place.moved, at=now)
    _hold(reservation, place.devices)
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


def _all_of(node: Node) -> Demand:
    return Demand(
        cpu_millicores=node.cpu_millicores,
        memory_mib=node.memory_mib,
        storage_gib=node.storage_gib,
    )


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


def _hold(reservation: Reservation, devices: Iterable[int]) -> None:
    during = TimestamptzRange(reservation.starts_at, reservation.ends_at, "[)")
    DeviceHold.objects.bulk_create(
        [DeviceHold(reservation=reservation, device_id=pk, during=during) for pk in devices]
    )


def _move_holds(moved: Mapping[int, Sequence[int]], *, at: datetime) -> None:
    """Exchange the devices of bookings that have not started.  All go before any comes."""
    if not moved:
        return
    reservations = Reservation.objects.select_related("team").in_bulk(list(moved))
    DeviceHold.objects.filter(reservation__in=list(moved)).delete()
    for pk, devices in moved.items():
        _hold(reservations[pk], devices)
        audit.record(
            "reservation.devices_exchanged",
            subject=reservations[pk].subject,
            actor=None,
            team=reservations[pk].team,
            at=at,
            devices=list(devices),
        )


def _release_holds(reservation: Reservation, now: datetime) -> None:
    holds = DeviceHold.objects.filter(reservation=reservation)
    if now <= reservation.starts_at:
        holds.delete()
    else:
        holds.update(during=TimestamptzRange(reservation.starts_at, now, "[)"))


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


def _shortage(demand: Demand, free: Demand) -> str:
    names = {"devices": "devices", **policy.UNIT_OF}
    short = [
        f"{getattr(demand, q)} {name} requested, {getattr(free, q)} free on one node"
        for q, name in names.items()
        if getattr(demand, q) > getattr(free, q)
    ]
    return ", ".join(short) or "no node has all of it free at once"


def _offer(nearest: Window | None) -> str:
    if nearest is None:
        return "no window of this length has room within 14 days"
    return f"the first window that fits starts at {nearest.starts_at:%Y-%m-%d %H:%M} UTC"
