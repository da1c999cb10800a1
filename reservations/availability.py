"""What of each type is free in a pool, now and next."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gpuaas.inventory import resource_types
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Closure, Pool
from gpuaas.inventory.resource_types import PoolSize, ResourceType, Supply
from reservations import calendar, timetable
from reservations.capacity import Window
from reservations.timetable import Taken

LOOK_AHEAD: Final = timedelta(days=14)
FIRST_LOOK: Final = timedelta(hours=12)
"""In a pool that is in use everything asked for changes sooner."""


@dataclass(frozen=True, slots=True)
class Availability:
    """What of one type is free in one pool, now and next.

    ``free_until`` is when fewer than ``free_now`` will be free, ``more_free_at`` when more will;
    both None when nothing changes within the look-ahead of 14 days.  Free of devices, on all
    nodes together; ``largest_free_now`` is what a single booking can have, on one node.
    """

    type: ResourceType
    free_now: int
    largest_free_now: int
    free_until: datetime | None
    more_free_at: datetime | None


@dataclass(frozen=True, slots=True)
class PoolAvailability:
    """One pool's types with what is free of them, and what shares of its nodes are measured by."""

    pool: Pool
    size: PoolSize
    types: tuple[Availability, ...]


def of(pool: Pool, *, now: datetime) -> list[Availability]:
    """Return what is free of each type of ``pool``."""
    (found,) = of_all([pool], now=now)
    return list(found.types)


def of_all(
    pools: Collection[Pool], *, now: datetime, closures: Sequence[Closure] | None = None
) -> list[PoolAvailability]:
    """Return what is free in each of ``pools``, in at most four queries for all of them.

    ``closures`` are all that stand within the look-ahead, where somebody has read them already.
    """
    supplies = resource_types.supply_of(pools)
    if closures is None:
        within = Window(now, now + LOOK_AHEAD)
        closures = list(inventory.closures_in(list(supplies), within=within))
    known: dict[int, tuple[Availability, ...]] = {}
    for ahead in (FIRST_LOOK, LOOK_AHEAD):
        unknown = {key: each for key, each in supplies.items() if not _is_whole(known.get(key))}
        if unknown:
            known |= _within(unknown, closures, now=now, until=now + ahead)
    return [PoolAvailability(pool, supplies[pool.pk].size, known[pool.pk]) for pool in pools]


def _is_whole(types: tuple[Availability, ...] | None) -> bool:
    """Return whether looking further ahead would tell nothing new."""
    return types is not None and all(
        (each.free_until or each.free_now == 0)
        and (each.more_free_at or each.free_now == each.type.devices)
        and not each.type.not_there_now
        for each in types
    )


def _within(
    supplies: Mapping[int, Supply],
    closures: Sequence[Closure],
    *,
    now: datetime,
    until: datetime,
) -> dict[int, tuple[Availability, ...]]:
    """Return what is free of each type of each pool, with what changes before ``until``."""
    home = {
        device: (batch.node, batch.resource_name)
        for supply in supplies.values()
        for batch in supply.batches
        for device in batch.devices
    }
    taken: dict[tuple[int, str], list[Taken]] = {key: [] for key in home.values()}
    for device, starts_at, ends_at, _ in calendar.holds_of(home, within=Window(now, until)):
        taken[home[device]].append(Taken(home[device][0], starts_at, ends_at))
    found = {}
    for pool, supply in supplies.items():
        closed = [
            Taken(node, closure.starts_at, closure.ends_at, is_closure=True)
            for closure in closures
            for node in {batch.node for batch in supply.batches}
            if pool == closure.pool_id or node == closure.node_id
        ]
        found[pool] = tuple(
            _of_type(each, supply, taken, closed, now=now, until=until) for each in supply.types
        )
    return found


def _of_type(
    resource_type: ResourceType,
    supply: Supply,
    taken: dict[tuple[int, str], list[Taken]],
    closed: list[Taken],
    *,
    now: datetime,
    until: datetime,
) -> Availability:
    name = resource_type.resource_name
    batches = [batch for batch in supply.batches if batch.resource_name == name]
    devices = {batch.node: batch.bookable for batch in batches}
    used = [each for batch in batches for each in taken[batch.node, name]]
    used += [each for each in closed if each.node in devices]
    outlook = timetable.outlook(devices, used, now=now, until=until)
    return Availability(
        type=resource_type,
        free_now=sum(outlook.free.values()),
        largest_free_now=max(outlook.free.values(), default=0),
        free_until=outlook.less_at,
        more_free_at=outlook.more_at,
    )
