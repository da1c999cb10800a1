"""What a booked device is promised to be: whose it is while it is booked.  Pure.

The device plugin hands out replicas without knowing whose pod asks.  So what can be promised
depends on how many devices of the type a node has, how often each is handed out, and how.
"""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final


class Guarantee(enum.StrEnum):
    """Who else is on a booked device; also the code that programs see."""

    EXCLUSIVE = "exclusive"
    TIME_SHARED = "time_shared"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Promise:
    """What one unit is: ``slots`` are containers at a time, None where there is no limit to them.

    ``is_pinned``: the very device that the calendar shows is the one that pods get.
    """

    guarantee: Guarantee
    slots: int | None
    is_pinned: bool


_ONE: Final = 1
_WEAKER: Final = (Guarantee.EXCLUSIVE, Guarantee.TIME_SHARED, Guarantee.SHARED)


def slots(replicas: Sequence[int], *, is_shared: bool) -> int:
    """Return how many containers one device carries, from the replicas of each of its type."""
    if not replicas or (len(replicas) > _ONE and not is_shared):
        return _ONE
    return min(replicas)


def weakest(promises: Iterable[Promise]) -> Promise:
    """Return what holds on every one of the nodes that ``promises`` are about: at least one."""
    found = tuple(promises)
    limits = [each.slots for each in found if each.slots is not None]
    return Promise(
        max((each.guarantee for each in found), key=_WEAKER.index),
        min(limits) if limits else None,
        is_pinned=all(each.is_pinned for each in found),
    )


def of(replicas: Sequence[int], *, is_shared: bool, is_claimed: bool) -> Promise:
    """Return what one unit of a type is on a node that has one device for each of ``replicas``.

    ``is_shared``: an administrator lets several teams onto one device.  ``is_claimed``: a session's
    pods share one claim of the very device.
    """
    if is_claimed:
        return Promise(Guarantee.TIME_SHARED, None, is_pinned=True)
    each, alone = slots(replicas, is_shared=is_shared), len(replicas) == _ONE
    if each == _ONE:
        return Promise(Guarantee.EXCLUSIVE, each, is_pinned=alone)
    guarantee = Guarantee.TIME_SHARED if alone else Guarantee.SHARED
    return Promise(guarantee, each, is_pinned=alone)
