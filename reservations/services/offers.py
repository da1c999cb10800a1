"""What can be booked instead: read from the calendar as it is, without a lock."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Final

from gpuaas.accounts.models import Team
from gpuaas.inventory import resource_types
from gpuaas.inventory.models import Pool
from reservations import answers, policy, selectors
from reservations.answers import Alternative
from reservations.availability import LOOK_AHEAD
from reservations.capacity import Demand, Window
from reservations.placement import NodeState
from reservations.services import rules
from reservations.services.refusals import PoolFull
from reservations.services.wishes import Wish

FREE_WINDOWS: Final = 3
# How often a window is moved to the nearest one that rules name, before it is given up.
TRIES: Final = 6


def first_fit(*, pool: Pool, wish: Wish, now: datetime) -> Window | None:
    """Return the first window like the wish's, from its start on, that has room."""
    return _first_fit(selectors.node_states(pool, now=now), wish, now)


def first_allowed(
    *,
    pool: Pool,
    team: Team,
    wish: Wish,
    now: datetime,
    aside: Collection[str] = (),
    besides: int | None = None,
) -> Window | None:
    """Return the first window like the wish's that has room, and that rules of pool and team allow.

    Rules of the codes in ``aside`` are not looked at; ``besides`` is a reservation that does not
    stand against it.
    """
    states = selectors.node_states(pool, now=now)
    return _first_allowed(_Place(pool, team, aside, besides), states, wish, now)


def pool_full(
    *,
    pool: Pool,
    team: Team,
    wish: Wish,
    now: datetime,
    aside: Collection[str] = (),
    besides: int | None = None,
) -> PoolFull:
    """Return the refusal of a wish that found no room, with everything that can be had instead.

    Rules of pool and team allow all of it, but for those of the codes in ``aside``, which somebody
    has set aside for the wish.
    """
    states = selectors.node_states(pool, now=now)
    place = _Place(pool, team, aside, besides)
    frees = [state.free(wish.resource_name, within=wish.window) for state in states]
    within = Window(wish.window.starts_at, _latest(wish, now) + wish.window.length)
    return PoolFull(
        wish=wish,
        free=max(frees, key=lambda free: (free.devices, free.memory_mib), default=Demand()),
        nearest=_first_allowed(place, states, wish, now),
        free_windows=list(islice(_windows(place, states, wish, within, now), FREE_WINDOWS)),
        alternatives=[
            each
            for each in _alternatives(pool, states, wish, now)
            if place.allows(_wish_of(each, wish), now)
        ],
    )


def later_start(problems: Iterable[policy.Problem], starts_at: datetime) -> datetime | None:
    """Return the later start to which all of ``problems`` point; None where one does not."""
    found = starts_at
    for problem in problems:
        nearest = problem.nearest
        if not isinstance(nearest, Window) or nearest.starts_at <= starts_at:
            return None
        found = max(found, nearest.starts_at)
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where, for whom, and which rules do not count."""

    pool: Pool
    team: Team
    aside: Collection[str]
    besides: int | None = None

    def against(self, wish: Wish, now: datetime) -> list[policy.Problem]:
        asked = rules.evaluate(
            pool=self.pool, team=self.team, wish=wish, now=now, besides=self.besides
        )
        return [each for each in asked.problems if each.code not in self.aside]

    def allows(self, wish: Wish, now: datetime) -> bool:
        return not self.against(wish, now)


def _first_allowed(
    place: _Place, states: Sequence[NodeState], wish: Wish, now: datetime
) -> Window | None:
    """Look for room, and go on from where the rules point to, until both agree."""
    wanted = wish
    for _ in range(TRIES):
        found = _first_fit(states, wanted, now)
        if found is None:
            return None
        problems = place.against(replace(wish, window=found), now)
        if not problems:
            return found
        starts_at = later_start(problems, found.starts_at)
        if starts_at is None:
            return None
        wanted = replace(wish, window=Window(starts_at, starts_at + wish.window.length))
    return None


def _windows(
    place: _Place, states: Sequence[NodeState], wish: Wish, within: Window, now: datetime
) -> Iterator[Window]:
    """Yield the free windows, from where the rules let the wish start in them."""
    for room in answers.free_windows(
        states,
        resource_name=wish.resource_name,
        demand=wish.demand,
        within=within,
        shortest=wish.window.length,
    ):
        starts_at: datetime | None = room.starts_at
        for _ in range(TRIES):
            if starts_at is None or starts_at + wish.window.length > room.ends_at:
                break
            window = Window(starts_at, starts_at + wish.window.length)
            problems = place.against(replace(wish, window=window), now)
            if not problems:
                yield Window(starts_at, room.ends_at)
                break
            starts_at = later_start(problems, starts_at)


def _wish_of(each: Alternative, wish: Wish) -> Wish:
    return replace(
        wish,
        resource_name=each.resource_name,
        units=each.units,
        window=each.window,
        cpu_millicores=each.demand.cpu_millicores,
        memory_mib=each.demand.memory_mib,
        storage_gib=each.demand.storage_gib,
    )


def _first_fit(states: Sequence[NodeState], wish: Wish, now: datetime) -> Window | None:
    return answers.first_fit(
        states,
        resource_name=wish.resource_name,
        demand=wish.demand,
        window=wish.window,
        latest=_latest(wish, now),
    )


def _alternatives(
    pool: Pool, states: Sequence[NodeState], wish: Wish, now: datetime
) -> list[Alternative]:
    kinds = [
        answers.Kind(each.resource_name, each.memory_mib, each.compute_share, each.devices_per_node)
        for each in resource_types.of(pool)
    ]
    return answers.alternatives(
        states,
        kinds,
        resource_name=wish.resource_name,
        demand=wish.demand,
        window=wish.window,
        latest=_latest(wish, now),
    )


def _latest(wish: Wish, now: datetime) -> datetime:
    return min(wish.window.starts_at + LOOK_AHEAD, now + policy.HORIZON)
