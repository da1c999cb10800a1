"""`tokenomics.core.packing`: against NVIDIA's counts, and against trying every placement."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.core import packing
from tokenomics.core.gpus import GPUS, WHOLE, Gpu

RTX, H100 = GPUS["rtx-pro-6000-96gb"], GPUS["h100-80gb"]

MOST_OF_ONE = {
    "rtx-pro-6000-96gb": "1g.24gb:4 2g.48gb:2 4g.96gb:1",
    "a30-24gb": "1g.6gb:4 2g.12gb:2 4g.24gb:1",
    "a100-40gb": "1g.5gb:7 1g.10gb:4 2g.10gb:3 3g.20gb:2 4g.20gb:1 7g.40gb:1",
    "a100-80gb": "1g.10gb:7 1g.20gb:4 2g.20gb:3 3g.40gb:2 4g.40gb:1 7g.80gb:1",
    "h100-80gb": "1g.10gb:7 1g.20gb:4 2g.20gb:3 3g.40gb:2 4g.40gb:1 7g.80gb:1",
    "h100-nvl-94gb": "1g.12gb:7 1g.24gb:4 2g.24gb:3 3g.47gb:2 4g.47gb:1 7g.94gb:1",
    "h200-141gb": "1g.18gb:7 1g.35gb:4 2g.35gb:3 3g.71gb:2 4g.71gb:1 7g.141gb:1",
    "b200-180gb": "1g.23gb:7 1g.45gb:4 2g.45gb:3 3g.90gb:2 4g.90gb:1 7g.180gb:1",
    "b300-269gb": "1g.34gb:7 1g.67gb:4 2g.67gb:3 3g.135gb:2 4g.135gb:1 7g.269gb:1",
    "l40s-48gb": "",
}


def wanted_of(gpu: Gpu, most: int) -> st.SearchStrategy[dict[str, int]]:
    return st.lists(st.sampled_from(sorted(gpu.profiles)), max_size=most).map(
        lambda names: dict(Counter(names))
    )


def fits_somehow(gpu: Gpu, names: list[str], used: list[int], *, gpus: int) -> bool:
    """Try every slice at every place; ``used`` are the slots taken of each GPU, as bits."""
    if not names:
        return True
    profile = gpu.profiles[names[0]]
    for index in range(gpus):
        if index and used[index] == used[index - 1] == 0:
            break  # as good as the one before
        for start in profile.starts:
            bits = ((1 << profile.slots) - 1) << start
            if not used[index] & bits:
                used[index] |= bits
                if fits_somehow(gpu, names[1:], used, gpus=gpus):
                    return True
                used[index] &= ~bits
    return False


@pytest.mark.parametrize(("name", "counts"), MOST_OF_ONE.items())
def test_a_gpu_holds_as_many_of_one_profile_as_nvidia_says(name: str, counts: str) -> None:
    gpu = GPUS[name]
    expected = {each.split(":")[0]: int(each.split(":")[1]) for each in counts.split()}

    assert {each.name for each in gpu.mig} == set(expected)
    for profile, most in expected.items():
        assert packing.fits(gpu, {profile: most}, gpus=1)
        assert not packing.fits(gpu, {profile: most + 1}, gpus=1)


def test_every_gpu_has_its_counts() -> None:
    assert set(MOST_OF_ONE) == set(GPUS)


@pytest.mark.parametrize("gpu", [RTX, H100, GPUS["l40s-48gb"]], ids=lambda gpu: gpu.name)
@given(data=st.data())
def test_packing_is_as_good_as_trying_everything(gpu: Gpu, data: st.DataObject) -> None:
    counts = data.draw(wanted_of(gpu, 8))
    gpus = data.draw(st.integers(0, 3))
    names = sorted(Counter(counts).elements(), key=lambda n: -gpu.profiles[n].slots)

    assert packing.fits(gpu, counts, gpus=gpus) == fits_somehow(gpu, names, [0] * gpus, gpus=gpus)


@pytest.mark.parametrize("gpu", [RTX, H100], ids=lambda gpu: gpu.name)
@given(data=st.data())
def test_a_placement_breaks_no_rule(gpu: Gpu, data: st.DataObject) -> None:
    counts = data.draw(wanted_of(gpu, 60))
    gpus = packing.gpus_needed(gpu, counts)
    assert gpus is not None

    placed = packing.place(gpu, counts, gpus=gpus)

    assert placed is not None
    assert Counter(each.profile for each in placed) == Counter(counts)
    slots = Counter[tuple[int, int]]()
    compute = Counter[int]()
    for each in placed:
        profile = gpu.profiles[each.profile]
        assert each.start in profile.starts
        assert each.gpu < gpus
        slots.update((each.gpu, each.start + offset) for offset in range(profile.slots))
        compute[each.gpu] += profile.compute_slices
    assert all(count == 1 for count in slots.values())
    assert all(slot < gpu.slots for _, slot in slots)
    assert all(count <= gpu.compute_slices for count in compute.values())
    assert not gpus or packing.place(gpu, counts, gpus=gpus - 1) is None


@given(counts=wanted_of(H100, 30))
def test_layouts_are_all_gpus_and_all_slices(counts: Mapping[str, int]) -> None:
    gpus = (packing.gpus_needed(H100, counts) or 0) + 1

    found = packing.layouts(H100, counts, gpus=gpus)

    assert found is not None
    assert sum(each.gpus for each in found) == gpus
    total = Counter[str]()
    for each in found:
        total.update({name: count * each.gpus for name, count in each.slices})
    assert total == Counter(counts)


def test_the_reference_layout() -> None:
    found = packing.layouts(RTX, {WHOLE: 1, "1g.24gb": 3}, gpus=2)

    assert found == (
        packing.Layout(1, ((WHOLE, 1),), RTX.weights[WHOLE] - 1),
        packing.Layout(1, (("1g.24gb", 3),), RTX.weights["1g.24gb"]),
    )


def test_too_few_gpus_have_no_layout() -> None:
    assert packing.layouts(RTX, {WHOLE: 2}, gpus=1) is None


def test_a_demand_beyond_all_bounds_needs_no_number_of_gpus() -> None:
    assert packing.gpus_needed(RTX, {WHOLE: packing.MOST_GPUS}) == packing.MOST_GPUS
    assert packing.gpus_needed(RTX, {WHOLE: packing.MOST_GPUS + 1}) is None


def test_a_weight_is_the_larger_share_of_compute_and_memory() -> None:
    assert {n: str(round(w, 4)) for n, w in H100.weights.items()} == {
        "whole": "1.0000",
        "1g.10gb": "0.1429",
        "1g.20gb": "0.2500",
        "2g.20gb": "0.2857",
        "3g.40gb": "0.5000",
        "4g.40gb": "0.5714",
        "7g.80gb": "1.0000",
    }
