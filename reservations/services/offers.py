"""What can be booked instead: read from the calendar as it is, without a lock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Pool
from reservations import answers, policy, selectors
from reservations.answers import Alternative
from reservations.capacity import Demand, Window
from reservations.placement import NodeState
from reservations.services.refusals import PoolFull
from reservations.services.wishes import Wish

FREE_WINDOWS: Final = 3


def first_fit(*, pool: Pool, wish: Wish, now: datetime) -> Window | None:
    """Return the first window like the wish's, from its start on, that has room."""
    return _first_fit(selectors.node_states(pool, now=now), wish, now)


def pool_full(*, pool: Pool, wish: Wish, now: datetime) -> PoolFull:
    """Return the refusal of a wish that found no room, with everything that does have room."""
    states = selectors.node_states(pool, now=now)
    frees = [state.free(wish.resource_name, within=wish.window) for state in states]
    within = Window(wish.window.starts_at, _latest(wish, now) + wish.window.length)
    return PoolFull(
        wish=wish,
        free=max(frees, key=lambda free: (free.devices, free.memory_mib), default=Demand()),
        nearest=_first_fit(states, wish, now),
        free_windows=answers.free_windows(
            states,
            resource_name=wish.resource_name,
            demand=wish.demand,
            within=within,
            shortest=wish.window.length,
        )[:FREE_WINDOWS],
        alternatives=_alternatives(pool, states, wish, now),
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
        for each in inventory.resource_types(pool)
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
    return min(wish.window.starts_at + selectors.LOOK_AHEAD, now + policy.HORIZON)
