"""How many GPUs a set of slices needs, and which slices lie together on one.

Blocks are aligned powers of two, so placing the largest first, the most restricted of a size
first, and each where it does the least harm to smaller ones is optimal: for a given number of
GPUs it fails only when every placement fails.  A test compares it with trying them all.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tokenomics.core.gpus import Gpu

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


def fits(gpu: Gpu, counts: Mapping[str, int], *, gpus: int) -> bool:
    """Return whether ``counts`` slices by profile name can be cut from ``gpus`` GPUs.

    Counts blocks instead of placing them: the time depends on the geometry alone.
    """
    free, size = {0: gpus}, gpu.slots
    for profile, starts in gpu.placing:
        left = counts.get(profile.name, 0)
        if not left:
            continue
        while size > profile.slots:
            size //= 2
            free |= {start + size: number for start, number in free.items()}
        for start in starts:
            taken = min(left, free[start])
            free[start] -= taken
            left -= taken
        if left:
            return False
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
    free, size = {0: list(range(gpus))}, gpu.slots
    placed: list[Placed] = []
    for profile, starts in gpu.placing:
        wanted = counts.get(profile.name, 0)
        if not wanted:
            continue
        while size > profile.slots:
            size //= 2
            free |= {start + size: list(indices) for start, indices in free.items()}
        room = sorted(
            (gpu.harm(start, size), each, start) for start in starts for each in free[start]
        )[:wanted]
        if len(room) < wanted:
            return None
        placed += [Placed(each, start, profile.name) for _, each, start in room]
        taken = {(each, start) for _, each, start in room}
        free = {
            start: [each for each in indices if (each, start) not in taken]
            for start, indices in free.items()
        }
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
