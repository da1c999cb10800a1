"""How much is free, hour by hour.  Pure.

Counted at instants, never added up per hour: what is free in an hour is the least that is free at
any instant of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final

from reservations.capacity import Window

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Taken:
    """One device of a node, taken for a window; or, as a closure, all of the node."""

    node: int
    window: Window
    is_closure: bool = False


def free_by_hour(
    devices: Mapping[int, int], taken: Iterable[Taken], *, since: datetime, hours: int
) -> list[int]:
    """Return, for each of ``hours`` hours from ``since`` on, the least that is free in it.

    ``devices`` counts what each node has; free is what is free on all nodes together.
    """
    until = since + hours * HOUR
    used: defaultdict[int, int] = defaultdict(int)
    closed: defaultdict[int, int] = defaultdict(int)

    def free_on(node: int) -> int:
        return 0 if closed[node] else max(0, devices.get(node, 0) - used[node])

    changes = _changes(taken, since=since, until=until)
    free = sum(devices.values())
    least = [-1] * hours  # -1: nothing changed in that hour so far
    known_until = 0
    for at, together in groupby(changes, key=itemgetter(0)):
        hour, into_it = divmod(at - since, HOUR)
        for index in range(known_until, hour + 1):
            # An hour that begins with this change never saw what was before.
            least[index] = free if index < hour or into_it else -1
        for _, node, step, is_closure in together:
            free -= free_on(node)
            (closed if is_closure else used)[node] += step
            free += free_on(node)
        least[hour] = free if least[hour] < 0 else min(least[hour], free)
        known_until = hour + 1
    least[known_until:] = [free] * (hours - known_until)
    return least


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is free on each node, and when, on all together, there is less of it and more."""

    free: Mapping[int, int]
    less_at: datetime | None
    more_at: datetime | None


def outlook(
    devices: Mapping[int, int], taken: Iterable[Taken], *, now: datetime, until: datetime
) -> Outlook:
    """Return what is free at ``now``, and the first changes to less and to more before ``until``.

    ``devices`` counts what each node has.
    """
    used, closed = dict.fromkeys(devices, 0), dict.fromkeys(devices, 0)
    free_now: dict[int, int] | None = None
    total_now = 0
    free = dict(devices)
    total = sum(free.values())
    less_at: datetime | None = None
    more_at: datetime | None = None
    for at, together in groupby(_changes(taken, since=now, until=until), key=itemgetter(0)):
        if at > now and free_now is None:
            free_now, total_now = dict(free), total
        for _, node, step, is_closure in together:
            (closed if is_closure else used)[node] += step
            left = 0 if closed[node] else max(0, devices[node] - used[node])
            total += left - free[node]
            free[node] = left
        if free_now is None:
            continue
        less_at = less_at or (at if total < total_now else None)
        more_at = more_at or (at if total > total_now else None)
        if less_at and more_at:
            break
    return Outlook(free if free_now is None else free_now, less_at, more_at)


def _changes(
    taken: Iterable[Taken], *, since: datetime, until: datetime
) -> list[tuple[datetime, int, int, bool]]:
    """Return what begins and ends from ``since`` on and before ``until``, by time."""
    changes: list[tuple[datetime, int, int, bool]] = []
    for each in taken:
        starts_at, ends_at = max(each.window.starts_at, since), each.window.ends_at
        if starts_at < ends_at and starts_at < until:
            changes.append((starts_at, each.node, 1, each.is_closure))
            if ends_at < until:
                changes.append((ends_at, each.node, -1, each.is_closure))
    changes.sort(key=itemgetter(0))
    return changes
