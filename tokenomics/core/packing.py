"""How many GPUs a set of slices needs, and which slices lie together on one.

Blocks are aligned powers of two, so placing the largest first, the most restricted of a size
first, and each where it does the least harm to smaller ones is optimal: for a given number of
GPUs it fails only when every placement fails.  A test compares it with trying them all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tokenomics.core.gpus import Gpu, Profile

MOST_GPUS: Final = 1_024
"""Beyond this a demand is called infeasible rather than packed."""


@dataclass(frozen=True, slots=True)
class Layout:
    """``gpus`` GPUs that are cut alike; ``stranded`` GPU equivalents of each serve nobody."""

    gpus: int
    slices: tuple[tuple[str, int], ...]
    stranded: Decimal


@dataclass(frozen=True, slots=True)
class Placed:
    """One slice on one GPU, beginning at memory slot ``start``."""

    gpu: int
    start: int
    profile: str


def _harm(gpu: Gpu, *, start: int, slots: int) -> int:
    """Return how many placements a block rules out: those that lie within it."""
    return sum(
        start <= each and each + profile.slots <= start + slots
        for profile in gpu.mig
        for each in profile.starts
    )


def _in_order(gpu: Gpu, counts: Mapping[str, int]) -> list[Profile]:
    wanted = [gpu.profiles[name] for name, count in counts.items() if count]
    return sorted(wanted, key=lambda each: (-each.slots, len(each.starts), each.name))


def _levels(gpu: Gpu) -> Iterator[int]:
    size = gpu.slots
    while size:
        yield size
        size //= 2


def fits(gpu: Gpu, counts: Mapping[str, int], *, gpus: int) -> bool:
    """Return whether ``counts`` slices by profile name can be cut from ``gpus`` GPUs.

    Counts blocks instead of placing them: the time depends on the geometry alone.
    """
    free = {0: gpus}
    waiting = _in_order(gpu, counts)
    for size in _levels(gpu):
        while waiting and waiting[0].slots == size:
            profile = waiting.pop(0)
            left = counts[profile.name]
            for start in sorted(profile.starts, key=lambda s: _harm(gpu, start=s, slots=size)):
                taken = min(left, free[start])
                free[start] -= taken
                left -= taken
            if left:
                return False
        half = size // 2
        free = {**free, **{start + half: number for start, number in free.items()}}
    return True


def gpus_needed(gpu: Gpu, counts: Mapping[str, int]) -> int | None:
    """Return the fewest GPUs that carry ``counts`` slices, None if `MOST_GPUS` are not enough."""
    if not fits(gpu, counts, gpus=MOST_GPUS):
        return None
    low, high = -1, MOST_GPUS  # not enough, enough
    while high - low > 1:
        middle = (low + high) // 2
        if fits(gpu, counts, gpus=middle):
            high = middle
        else:
            low = middle
    return high


def place(gpu: Gpu, counts: Mapping[str, int], *, gpus: int) -> tuple[Placed, ...] | None:
    """Return where each slice lies on ``gpus`` GPUs, None if they are not enough."""
    free = {0: list(range(gpus))}
    waiting = _in_order(gpu, counts)
    placed: list[Placed] = []
    for size in _levels(gpu):
        while waiting and waiting[0].slots == size:
            profile = waiting.pop(0)
            room = sorted(
                (_harm(gpu, start=start, slots=size), each, start)
                for start in profile.starts
                for each in free[start]
            )[: counts[profile.name]]
            if len(room) < counts[profile.name]:
                return None
            placed += [Placed(each, start, profile.name) for _, each, start in room]
            taken = {(each, start) for _, each, start in room}
            free = {
                start: [each for each in indices if (each, start) not in taken]
                for start, indices in free.items()
            }
        half = size // 2
        free = {**free, **{start + half: list(indices) for start, indices in free.items()}}
    return tuple(placed)


def layouts(gpu: Gpu, counts: Mapping[str, int], *, gpus: int) -> tuple[Layout, ...] | None:
    """Return how ``gpus`` GPUs are cut, those that are cut alike together; None if too few."""
    placed = place(gpu, counts, gpus=gpus)
    if placed is None:
        return None
    contents: list[Counter[str]] = [Counter() for _ in range(gpus)]
    for each in placed:
        contents[each.gpu][each.profile] += 1
    alike = Counter(tuple(sorted(content.items())) for content in contents)
    return tuple(Layout(number, slices, _stranded(gpu, slices)) for slices, number in alike.items())


def _stranded(gpu: Gpu, slices: tuple[tuple[str, int], ...]) -> Decimal:
    used = sum((gpu.weights[name] * count for name, count in slices), Decimal())
    return max(1 - used, Decimal())
