"""The geometry of GPUs that MIG can cut: profiles, and where on a GPU they may begin.

Counts a profile can reach alone are NVIDIA's (MIG user guide, gpu-operator's default MIG
configuration); a test holds the places below to those counts.  Variants of the same size
(``+me``, ``+gfx``, ``-me``) take the same place and are not listed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

WHOLE: Final = "whole"
"""The slice name of a GPU that is not cut."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One size of slice: ``slots`` are memory slices, ``starts`` the slots it may begin at."""

    name: str
    memory_gib: int
    compute_slices: int
    slots: int
    starts: tuple[int, ...]


@dataclass(frozen=True)
class Gpu:
    """One type of GPU, cut into at most ``slots`` memory and ``compute_slices`` compute slices."""

    name: str
    title: str
    memory_gib: int
    compute_slices: int
    slots: int
    mig: tuple[Profile, ...]

    @cached_property
    def profiles(self) -> Mapping[str, Profile]:
        """Every slice that can be had of it by name, the whole GPU first."""
        whole = Profile(WHOLE, self.memory_gib, self.compute_slices, self.slots, (0,))
        return {each.name: each for each in (whole, *self.mig)}

    @cached_property
    def placing(self) -> tuple[tuple[Profile, tuple[int, ...]], ...]:
        """The order in which to place slices, each with its starts from the best to the worst.

        The largest first, of a size the most restricted; and where it rules out fewest others.
        """
        order = sorted(self.profiles.values(), key=lambda p: (-p.slots, len(p.starts), p.name))
        return tuple(
            (each, tuple(sorted(each.starts, key=lambda start: self.harm(start, each.slots))))
            for each in order
        )

    def harm(self, start: int, slots: int) -> int:
        """Return how many placements lie within ``slots`` from ``start``: what it rules out."""
        return sum(
            start <= each and each + profile.slots <= start + slots
            for profile in self.mig
            for each in profile.starts
        )

    @cached_property
    def weights(self) -> Mapping[str, Decimal]:
        """GPU equivalents of a slice: the larger of its share of compute and of memory (6.2)."""
        return {
            each.name: max(
                Decimal(each.compute_slices) / self.compute_slices,
                Decimal(each.slots) / self.slots,
            )
            for each in self.profiles.values()
        }


def _quarters(name: str, title: str, memory_gib: tuple[int, int, int]) -> Gpu:
    """Return a GPU of four slices, of which any aligned power of two can be had."""
    one, two, four = memory_gib
    profiles = (
        Profile(f"1g.{one}gb", one, 1, 1, (0, 1, 2, 3)),
        Profile(f"2g.{two}gb", two, 2, 2, (0, 2)),
        Profile(f"4g.{four}gb", four, 4, 4, (0,)),
    )
    return Gpu(name, title, four, 4, 4, profiles)


def _sevenths(name: str, title: str, memory_gib: tuple[int, int, int, int]) -> Gpu:
    """Return a GPU of seven compute and eight memory slices; the eighth is only had with others."""
    one, two, four, eight = memory_gib
    profiles = (
        Profile(f"1g.{one}gb", one, 1, 1, (0, 1, 2, 3, 4, 5, 6)),
        Profile(f"1g.{two}gb", two, 1, 2, (0, 2, 4, 6)),
        Profile(f"2g.{two}gb", two, 2, 2, (0, 2, 4)),
        Profile(f"3g.{four}gb", four, 3, 4, (0, 4)),
        Profile(f"4g.{four}gb", four, 4, 4, (0,)),
        Profile(f"7g.{eight}gb", eight, 7, 8, (0,)),
    )
    return Gpu(name, title, eight, 7, 8, profiles)


GPUS: Final[Mapping[str, Gpu]] = {
    each.name: each
    for each in (
        _quarters("rtx-pro-6000-96gb", "NVIDIA RTX PRO 6000 Blackwell 96 GB", (24, 48, 96)),
        _quarters("a30-24gb", "NVIDIA A30 24 GB", (6, 12, 24)),
        _sevenths("a100-40gb", "NVIDIA A100 40 GB", (5, 10, 20, 40)),
        _sevenths("a100-80gb", "NVIDIA A100 80 GB", (10, 20, 40, 80)),
        _sevenths("h100-80gb", "NVIDIA H100 80 GB", (10, 20, 40, 80)),
        _sevenths("h100-nvl-94gb", "NVIDIA H100 NVL 94 GB", (12, 24, 47, 94)),
        _sevenths("h200-141gb", "NVIDIA H200 141 GB", (18, 35, 71, 141)),
        _sevenths("b200-180gb", "NVIDIA B200 180 GB", (23, 45, 90, 180)),
        _sevenths("b300-269gb", "NVIDIA B300", (34, 67, 135, 269)),
        Gpu("l40s-48gb", "NVIDIA L40S 48 GB (no MIG)", 48, 1, 1, ()),
    )
}
