"""Whose time a device's time was: booked, idle, out of service; and what a layout leaves.

Time is whole milliseconds since the epoch.  Spans are half-open; lists of them are sorted and
do not overlap once they come out of `union`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Final, TypeAlias

from tokenomics.core.lines import WEIGHT_PARTS

Span: TypeAlias = tuple[int, int]

_EIGHTH: Final = 8
_ROUNDING: Final = 100
"""Weights that differ by less from whole GPUs differ by rounding only."""


@dataclass(frozen=True, slots=True)
class Presence:
    """When one device was there, and when it was out of service, as planned or not.

    ``weight`` is its part of its GPU in `WEIGHT_PARTS`; ``gpu`` names the physical GPU, or the node
    where nobody knows which of its GPUs it is on.
    """

    device: int
    gpu: str
    weight: int
    there: Sequence[Span]
    planned: Sequence[Span] = ()
    unplanned: Sequence[Span] = ()


@dataclass(frozen=True, slots=True)
class DeviceTime:
    """One device's time in a period, in milliseconds; together it is all the time it was there."""

    booked_ms: int
    idle_ms: int
    planned_ms: int
    unplanned_ms: int


def weight_of(compute_share: Fraction, memory_share: Fraction | None) -> int:
    """Return the larger share in `WEIGHT_PARTS`; None: nobody knows the memory of the GPU.

    Hardware cuts sevenths and eighths: what is written with four decimals is taken back to them.
    """
    both = (compute_share, memory_share or Fraction(0))
    shares = [each.limit_denominator(_EIGHTH) for each in both]
    return min(int(max(shares) * WEIGHT_PARTS), WEIGHT_PARTS)


def device_time(presence: Presence, booked: Iterable[Span], within: Span) -> DeviceTime:
    """Return whose time the device's time ``within`` was.

    What was booked was booked, in service or not; of the rest, breakdowns go before plans.
    """
    taken = union(clip(booked, within))
    broken = minus(union(clip(presence.unplanned, within)), taken)
    closed = minus(minus(union(clip(presence.planned, within)), taken), broken)
    there = union([*clip(presence.there, within), *taken])
    booked_ms, unplanned_ms, planned_ms = length(taken), length(broken), length(closed)
    # What is out of service counts where the device is there at all.
    unplanned_ms -= length(minus(broken, there))
    planned_ms -= length(minus(closed, there))
    idle_ms = length(there) - booked_ms - unplanned_ms - planned_ms
    return DeviceTime(booked_ms, idle_ms, planned_ms, unplanned_ms)


def gpu_time(on_one_gpu: Sequence[Presence], within: Span, *, knows_gpu: bool) -> tuple[int, int]:
    """Return the time of a GPU, and what of it its devices leave, in nanoseconds of a whole GPU.

    Without ``knows_gpu`` they are all devices of a node, on as few GPUs as can be.
    """
    marks = {each for presence in on_one_gpu for span in presence.there for each in span}
    cuts = sorted({within[0], within[1], *(at for at in marks if within[0] < at < within[1])})
    calendar = left = 0
    for since, until in pairwise(cuts):
        weights = [
            each.weight
            for each in on_one_gpu
            if any(first <= since and until <= last for first, last in each.there)
        ]
        if weights:
            gpus = gpus_for(sum(weights), knows_gpu=knows_gpu)
            calendar += (until - since) * gpus * WEIGHT_PARTS
            left += (until - since) * (gpus * WEIGHT_PARTS - sum(weights))
    return calendar, left


def gpus_for(weight: int, *, knows_gpu: bool) -> int:
    """Return how many GPUs devices of so much ``weight`` together need at least."""
    return 1 if knows_gpu and weight <= WEIGHT_PARTS else max(-(-weight // WEIGHT_PARTS), 1)


def exact(presences: Iterable[Presence]) -> list[Presence]:
    """Return them with weights that fill a GPU where only their rounding keeps them from it."""
    together: defaultdict[tuple[str, tuple[Span, ...]], list[Presence]] = defaultdict(list)
    for each in presences:
        together[each.gpu, tuple(each.there)].append(each)
    found: list[Presence] = []
    for first, *others in together.values():
        missing = -sum(each.weight for each in (first, *others)) % WEIGHT_PARTS
        more = missing if missing <= _ROUNDING else 0
        found += [replace(first, weight=first.weight + more), *others]
    return found


def clip(spans: Iterable[Span], within: Span) -> list[Span]:
    """Return what of ``spans`` lies ``within``."""
    clipped = ((max(since, within[0]), min(until, within[1])) for since, until in spans)
    return [span for span in clipped if span[0] < span[1]]


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the same time as sorted spans that neither meet nor overlap."""
    found: list[Span] = []
    for since, until in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def minus(spans: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return the time of ``spans`` that is not in ``others``; both as `union` returns them."""
    found: list[Span] = []
    for since, until in spans:
        at = since
        for first, last in others:
            if last <= at or first >= until:
                continue
            if first > at:
                found.append((at, first))
            at = max(at, last)
        if at < until:
            found.append((at, until))
    return found


def length(spans: Iterable[Span]) -> int:
    """Return how long ``spans`` are together, in milliseconds."""
    return sum(until - since for since, until in spans)
