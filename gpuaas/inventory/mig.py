"""MIG profiles: which slices a GPU can be cut into, as data.  Pure.

Source: NVIDIA MIG user guide (supported profiles and placements) and the configuration that the
GPU Operator ships.  The table fills in what labels and files leave out and recognises mistakes;
what a cluster shows is never refused because of it.  Another GPU is another row.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

WHOLE: Final = "nvidia.com/gpu"
SLICE_PREFIX: Final = "nvidia.com/mig-"
# Marketing gigabytes: the memory a device shows is a little more than this many MiB.
_MIB_PER_GB: Final = Decimal(1000**3) / 1024**2
# As precise as the column that keeps a share.
_SHARE: Final = Decimal("0.0001")
# Every GPU that can be partitioned has seven compute slices, but for those in the table that say
# otherwise.
_USUAL_SLICES: Final = 7
_SLICES_NAMED: Final = re.compile(r"([1-9])g\..*", re.ASCII)


class UnknownProfile(ValueError):
    """The GPU is known, and it has no such profile."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to cut: it takes ``memory_slices`` from one of the memory slices ``starts`` on.

    ``most`` is how many of it, and nothing else, one GPU carries.
    """

    name: str
    compute_slices: int
    memory_slices: int
    memory_gb: int
    most: int
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """GPUs that are cut alike: their product has all of ``words`` and none of ``other_words``."""

    name: str
    words: frozenset[str]
    other_words: frozenset[str]
    memory_gb: int
    compute_slices: int
    profiles: tuple[Profile, ...]

    def profile(self, resource_name: str) -> Profile | None:
        """Return the profile that device plugins call ``resource_name``."""
        return next((p for p in self.profiles if resource_name_of(p.name) == resource_name), None)

    def placeable(self, profiles: Sequence[Profile]) -> bool:
        """Return whether one GPU of this family can be cut into all of ``profiles``."""
        if sum(profile.compute_slices for profile in profiles) > self.compute_slices:
            return False
        if any(profiles.count(profile) > profile.most for profile in profiles):
            return False
        largest_first = sorted(profiles, key=lambda profile: -profile.memory_slices)
        return _placeable(largest_first, taken=frozenset())


def _placeable(profiles: Sequence[Profile], *, taken: frozenset[int]) -> bool:
    if not profiles:
        return True
    first, *rest = profiles
    for start in first.starts:
        place = frozenset(range(start, start + first.memory_slices))
        if not place & taken and _placeable(rest, taken=taken | place):
            return True
    return False


# compute slices, memory slices, where it may begin
_CUTS_OF_SEVEN: Final = (
    (1, 1, tuple(range(7))),
    (1, 2, (0, 2, 4, 6)),
    (2, 2, (0, 2, 4)),
    (3, 4, (0, 4)),
    (4, 4, (0,)),
    (7, 8, (0,)),
)


def _of_seven(
    name: str,
    words: str,
    memory_gb: int,
    sizes_gb: tuple[int, ...],
    *,
    other_words: str = "",
    has_media: bool = True,
) -> Family:
    """Return a family with the usual cuts, ``sizes_gb`` the memory of each."""
    profiles = [
        Profile(f"{compute}g.{gb}gb", compute, memory, gb, len(starts), starts)
        for (compute, memory, starts), gb in zip(_CUTS_OF_SEVEN, sizes_gb, strict=True)
    ]
    if has_media:
        compute, memory, starts = _CUTS_OF_SEVEN[0]
        profiles.append(Profile(f"1g.{sizes_gb[0]}gb+me", compute, memory, sizes_gb[0], 1, starts))
    return Family(
        name,
        frozenset(words.split()),
        frozenset(other_words.split()),
        memory_gb,
        _USUAL_SLICES,
        tuple(profiles),
    )


def _rtx_pro_6000() -> Family:
    singles, pairs = (0, 1, 2, 3), (0, 2)
    profiles = (
        *(Profile(f"1g.24gb{kind}", 1, 1, 24, 4, singles) for kind in ("", "+gfx", "-me")),
        *(Profile(f"1g.24gb{kind}", 1, 1, 24, 1, singles) for kind in ("+me", "+me.all")),
        *(Profile(f"2g.48gb{kind}", 2, 2, 48, 2, pairs) for kind in ("", "+gfx", "-me")),
        Profile("2g.48gb+me.all", 2, 2, 48, 1, pairs),
        *(Profile(f"4g.96gb{kind}", 4, 4, 96, 1, (0,)) for kind in ("", "+gfx")),
    )
    words = frozenset({"RTX", "PRO", "6000"})
    return Family("RTX PRO 6000 Blackwell", words, frozenset(), 96, 4, profiles)


FAMILIES: Final[tuple[Family, ...]] = (
    _rtx_pro_6000(),
    _of_seven("A100 40 GB", "A100 40GB", 40, (5, 10, 10, 20, 20, 40)),
    _of_seven("A100 80 GB", "A100 80GB", 80, (10, 20, 20, 40, 40, 80)),
    _of_seven("H100 80 GB", "H100", 80, (10, 20, 20, 40, 40, 80), other_words="NVL 64GB 96GB"),
    _of_seven("H100 NVL", "H100 NVL", 94, (12, 24, 24, 47, 47, 94), has_media=False),
    _of_seven("H200", "H200", 141, (18, 35, 35, 71, 71, 141)),
    _of_seven("B200", "B200", 180, (23, 45, 45, 90, 90, 180)),
    _of_seven("B300", "B300", 269, (34, 67, 67, 135, 135, 269), has_media=False),
)


def resource_name_of(profile: str) -> str:
    """Return the resource name of a profile: ``1g.24gb+gfx`` is ``nvidia.com/mig-1g.24gb.gfx``."""
    return f"{SLICE_PREFIX}{profile.replace('+', '.')}"


def device_class_of(resource_name: str) -> str:
    """Return the device class of NVIDIA's driver for dynamic resource allocation."""
    return "gpu.nvidia.com" if resource_name == WHOLE else "mig.nvidia.com"


def family_of(product: str) -> Family | None:
    """Return the family of a product as labels name it, None for one the table does not know."""
    base = product.upper().partition("-MIG-")[0]
    words = frozenset(base.replace("-", " ").replace("_", " ").split())
    return next((f for f in FAMILIES if f.words <= words and not f.other_words & words), None)


def profile_of(product: str, resource_name: str) -> Profile | None:
    """Return the profile of a slice; None for a whole GPU and for a product nobody knows.

    Raises:
        UnknownProfile: the product is known and has no such profile; names the nearest.
    """
    family = family_of(product)
    if family is None or not resource_name.startswith(SLICE_PREFIX):
        return None
    profile = family.profile(resource_name)
    if profile is None:
        known = {resource_name_of(each.name): each.name for each in family.profiles}
        nearest = difflib.get_close_matches(resource_name, known, n=3, cutoff=0)
        names = ", ".join(known[each] for each in nearest)
        msg = f"{family.name} has no profile {resource_name.removeprefix(SLICE_PREFIX)}; "
        raise UnknownProfile(f"{msg}the nearest are {names}")
    return profile


def cuts_of(product: str) -> list[dict[str, int]]:
    """Return the cuts of a whole GPU into alike devices, as many as fit, the largest first."""
    family = family_of(product)
    if family is None:
        return []
    profiles = sorted(family.profiles, key=lambda each: (-each.memory_slices, each.name))
    slices = [{resource_name_of(each.name): each.most} for each in profiles]
    return [{WHOLE: 1}, *slices]


def share_of(product: str, resource_name: str) -> Decimal:
    """Return the part of its GPU's compute a device has, to four places: 1 for a whole GPU.

    A profile the table does not know is as many sevenths as its name says.
    """
    if not resource_name.startswith(SLICE_PREFIX):
        return Decimal(1)
    family = family_of(product)
    profile = family.profile(resource_name) if family else None
    slices = profile.compute_slices if profile else _slices_named(resource_name)
    of = family.compute_slices if family else _USUAL_SLICES
    return min(Decimal(1), Decimal(slices) / of).quantize(_SHARE)


def memory_mib_of(product: str, resource_name: str) -> int | None:
    """Return the nominal memory in MiB, a little less than a device shows; None if unknown."""
    family = family_of(product)
    if family is None:
        return None
    if not resource_name.startswith(SLICE_PREFIX):
        return int(family.memory_gb * _MIB_PER_GB)
    profile = family.profile(resource_name)
    return int(profile.memory_gb * _MIB_PER_GB) if profile else None


def _slices_named(resource_name: str) -> int:
    named = _SLICES_NAMED.fullmatch(resource_name.removeprefix(SLICE_PREFIX))
    return int(named[1]) if named else 1
