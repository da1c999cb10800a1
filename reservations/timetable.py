"""How much is free, hour by hour.  Pure.

Counted at instants, never added up per hour: what is free in an hour is the least that is free at
any instant of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

HOUR: Final = timedelta(hours=1)


class Taken(NamedTuple):
    """One device of a node, taken from start to end; or, as a closure, all of the node."""

    node: int
    starts_at: datetime
    ends_at: datetime
    is_closure: bool = False


class _Change(NamedTuple):
    at: datetime
    node: int
    is_closure: bool
    step: int


def free_by_hour(
    devices: Mapping[int, int], taken: Iterable[Taken], *, since: datetime, hours: int
) -> list[int]:
    """Return, for each of ``hours`` hours from ``since`` on, the least that is free in it.

    ``devices`` counts what each node has; free is what is free on all nodes together.
    """
    until = since + hours * HOUR
    sweep = _Sweep(devices)
    changes = _changes(taken, since=since, until=until)
    free = sweep.total
    least = [-1] * hours  # -1: nothing changed in that hour so far
    known_until = 0
    for at, together in groupby(changes, key=itemgetter(0)):
        hour, into_it = divmod(at - since, HOUR)
        for index in range(known_until, hour + 1):
            # An hour that begins with this change never saw what was before.
            least[index] = free if index < hour or into_it else -1
        free = sweep.change(together)
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
    sweep = _Sweep(devices)
    now_free: dict[int, int] | None = None
    total_now = sweep.total
    less_at: datetime | None = None
    more_at: datetime | None = None
    for at, together in groupby(_changes(taken, since=now, until=until), key=itemgetter(0)):
        if at == now:
            total_now = sweep.change(together)
            continue
        now_free = now_free or dict(sweep.free)
        total = sweep.change(together)
        less_at = less_at or (at if total < total_now else None)
        more_at = more_at or (at if total > total_now else None)
        if less_at and more_at:
            break
    return Outlook(now_free or sweep.free, less_at, more_at)


class _Sweep:
    """What is free on each node, and ``total`` on all, as one goes through the changes."""

    def __init__(self, devices: Mapping[int, int]) -> None:
        self._devices = devices
        self._used = dict.fromkeys(devices, 0)
        self._closed = dict.fromkeys(devices, 0)
        self.free = dict(devices)
        self.total = sum(devices.values())

    def change(self, together: Iterable[_Change]) -> int:
        """Take in what changes at one instant; return what is free from then on."""
        for _, node, is_closure, step in together:
            (self._closed if is_closure else self._used)[node] += step
            left = 0 if self._closed[node] else max(0, self._devices[node] - self._used[node])
            self.total += left - self.free[node]
            self.free[node] = left
        return self.total


def _changes(taken: Iterable[Taken], *, since: datetime, until: datetime) -> list[_Change]:
    """Return what begins and ends from ``since`` on and before ``until``, by time.

    What changes on a node at one instant is added up: bookings begin and end on the hour.
    """
    steps: Counter[tuple[datetime, int, bool]] = Counter()
    for node, starts_at, ends_at, is_closure in taken:
        if starts_at < until and ends_at > since and starts_at < ends_at:
            steps[max(starts_at, since), node, is_closure] += 1
            if ends_at < until:
                steps[ends_at, node, is_closure] -= 1
    return sorted(_Change(*key, step) for key, step in steps.items() if step)
