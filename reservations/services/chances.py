"""Answers that can be booked as they stand: free windows, and other types, that rules allow too."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gpuaas.accounts.models import Team
from gpuaas.inventory import resource_types
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Pool
from reservations import answers, selectors
from reservations.capacity import Window
from reservations.services import offers, rules
from reservations.services.wishes import Wish, usual_demand

AT_MOST: Final = 20
POOLS_AT_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Chance:
    """What can be booked at the moment, with its price in minor units (cents).

    ``free_until`` is how long it stays free after the window: a longer booking fits as well.
    ``gpu_memory_gb`` is of all units together, 0 where the same type was asked for.
    """

    pool: Pool
    wish: Wish
    free_until: datetime
    cost_minor: int
    currency: str
    gpu_memory_gb: int = 0
    is_smaller: bool = False


def free_windows(
    *,
    pool: Pool,
    team: Team,
    wish: Wish,
    until: datetime,
    now: datetime,
    at_most: int = AT_MOST,
    grounds: rules.Grounds | None = None,
) -> list[Chance]:
    """Return the windows, from the wish's start to ``until``, in which it can be booked, by start.

    Each lies at the beginning of a time in which there is room, or as soon after it as the rules
    of pool and team allow; where they allow none, the time is left out.  With ``grounds`` nothing
    is read for each of them: rules, price and budgets are taken as they stand at the first.
    """
    found = []
    for room in _rooms(pool, wish, until, now):
        chance = _chance(pool, team, wish, room, now, grounds)
        if chance is not None:
            found.append(chance)
        if len(found) == at_most:
            break
    return found


def alternatives(
    *, pool: Pool, team: Team, wish: Wish, until: datetime, now: datetime
) -> list[Chance]:
    """Return what else does the work of ``wish``: on other types, or the same in other pools.

    Only what rules allow; by start, then by pool.  Other pools are looked at up to
    `POOLS_AT_MOST`, those without the type not at all.
    """
    found = list(_on_other_types(pool, team, wish, until, now))
    others = inventory.pools().exclude(pk=pool.pk)
    having = others.filter(nodes__devices__resource_name=wish.resource_name).distinct()
    for other in having.order_by("name")[:POOLS_AT_MOST]:
        share = usual_demand(pool=other, resource_name=wish.resource_name, units=wish.units)
        same = replace(
            wish,
            cpu_millicores=share.cpu_millicores,
            memory_mib=share.memory_mib,
            storage_gib=share.storage_gib,
        )
        found += free_windows(pool=other, team=team, wish=same, until=until, now=now, at_most=1)
    return sorted(found, key=lambda each: (each.wish.window.starts_at, each.pool.name))


def _on_other_types(
    pool: Pool, team: Team, wish: Wish, until: datetime, now: datetime
) -> Iterator[Chance]:
    kinds = [
        answers.Kind(each.resource_name, each.memory_mib, each.compute_share, each.devices_per_node)
        for each in resource_types.of(pool)
    ]
    for each in answers.alternatives(
        selectors.node_states(pool, now=now),
        kinds,
        resource_name=wish.resource_name,
        demand=wish.demand,
        window=wish.window,
        latest=until - wish.window.length,
    ):
        other = replace(
            wish,
            resource_name=each.resource_name,
            units=each.units,
            window=each.window,
            cpu_millicores=each.demand.cpu_millicores,
            memory_mib=each.demand.memory_mib,
            storage_gib=each.demand.storage_gib,
        )
        rooms = _rooms(pool, other, until, now)
        chance = _chance(pool, team, other, rooms[0], now) if rooms else None
        if chance:
            yield replace(chance, gpu_memory_gb=each.gpu_memory_gb, is_smaller=each.is_smaller)


def _rooms(pool: Pool, wish: Wish, until: datetime, now: datetime) -> list[Window]:
    starts_at = wish.window.starts_at
    if until - starts_at < wish.window.length:
        return []
    return answers.free_windows(
        selectors.node_states(pool, now=now),
        resource_name=wish.resource_name,
        demand=wish.demand,
        within=Window(starts_at, until),
        shortest=wish.window.length,
    )


def _chance(
    pool: Pool,
    team: Team,
    wish: Wish,
    room: Window,
    now: datetime,
    grounds: rules.Grounds | None = None,
) -> Chance | None:
    """Return the first window in ``room`` that rules allow, going where they point."""
    length = wish.window.length
    starts_at = max(room.starts_at, wish.window.starts_at)
    for _ in range(offers.TRIES):
        if starts_at + length > room.ends_at:
            return None
        tried = replace(wish, window=Window(starts_at, starts_at + length))
        asked = (
            rules.judge(grounds, pool=pool, team=team, wish=tried, now=now)
            if grounds
            else rules.evaluate(pool=pool, team=team, wish=tried, now=now)
        )
        if not asked.problems:
            terms = asked.terms
            return Chance(pool, tried, room.ends_at, terms.cost_minor, terms.currency)
        later = offers.later_start(asked.problems, starts_at)
        if later is None:
            return None
        starts_at = later
    return None
