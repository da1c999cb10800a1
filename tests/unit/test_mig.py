"""`gpuaas.inventory.mig`: the profiles, and what they fill in."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas.inventory import mig
from gpuaas.inventory.mig import FAMILIES, Family
from tests.make import GPU, SLICE

RTX = "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"
H100 = "NVIDIA-H100-80GB-HBM3"


def family(product: str) -> Family:
    found = mig.family_of(product)
    assert found is not None
    return found


def of(kind: Family, *names: str) -> list[mig.Profile]:
    by_name = {profile.name: profile for profile in kind.profiles}
    return [by_name[name] for name in names]


@pytest.mark.parametrize(
    ("product", "name"),
    [
        (RTX, "RTX PRO 6000 Blackwell"),
        (f"{RTX}-MIG-1g.24gb", "RTX PRO 6000 Blackwell"),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "A100 40 GB"),
        ("NVIDIA A100-PCIE-80GB", "A100 80 GB"),
        (H100, "H100 80 GB"),
        ("NVIDIA-H100-PCIe", "H100 80 GB"),
        ("NVIDIA-H100-NVL", "H100 NVL"),
        ("NVIDIA-H200", "H200"),
        ("NVIDIA-B200", "B200"),
        ("NVIDIA-B300-SXM6-AC", "B300"),
    ],
)
def test_products_as_labels_name_them(product: str, name: str) -> None:
    assert family(product).name == name


@pytest.mark.parametrize("product", ["NVIDIA-GB200", "NVIDIA-H100-96GB", "NVIDIA-L40S", "unknown"])
def test_products_nobody_knows(product: str) -> None:
    assert mig.family_of(product) is None
    assert mig.profile_of(product, f"{mig.SLICE_PREFIX}9g.999gb") is None
    assert mig.memory_mib_of(product, GPU) is None


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: kind.name)
def test_a_gpu_carries_as_many_of_a_profile_as_the_table_says(kind: Family) -> None:
    for profile in kind.profiles:
        assert kind.placeable([profile] * profile.most)
        assert not kind.placeable([profile] * (profile.most + 1))
        assert profile.compute_slices * profile.most <= kind.compute_slices


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        (["3g.40gb", "4g.40gb"], True),
        (["3g.40gb", "3g.40gb", "1g.10gb"], False),  # compute would do, memory would not
        (["4g.40gb", "2g.20gb", "1g.10gb"], True),
        (["1g.10gb", "1g.10gb+me", "2g.20gb", "3g.40gb"], True),
        (["7g.80gb", "1g.10gb"], False),
        ([], True),
    ],
)
def test_a_layout_has_to_be_placeable(names: list[str], fits: bool) -> None:
    kind = family(H100)

    assert kind.placeable(of(kind, *names)) is fits
    assert kind.placeable(of(kind, *reversed(names))) is fits


@pytest.mark.parametrize(
    ("product", "resource_name", "share", "memory_mib"),
    [
        (RTX, GPU, "1", 91_552),
        (RTX, SLICE, "0.25", 22_888),
        (RTX, f"{mig.SLICE_PREFIX}2g.48gb.gfx", "0.5", 45_776),
        (H100, f"{mig.SLICE_PREFIX}1g.10gb", "0.1429", 9_536),
        (H100, f"{mig.SLICE_PREFIX}3g.40gb", "0.4286", 38_146),
        (H100, f"{mig.SLICE_PREFIX}2g.11gb", "0.2857", None),
        ("Abacus", f"{mig.SLICE_PREFIX}2g.8gb", "0.2857", None),
        ("Abacus", f"{mig.SLICE_PREFIX}9g.8gb", "1", None),
        ("Abacus", f"{mig.SLICE_PREFIX}strange", "0.1429", None),
    ],
)
def test_shares_and_memory(
    product: str, resource_name: str, share: str, memory_mib: int | None
) -> None:
    assert mig.share_of(product, resource_name) == Decimal(share)
    assert mig.memory_mib_of(product, resource_name) == memory_mib


def test_a_profile_the_gpu_does_not_have_is_told_with_the_nearest() -> None:
    with pytest.raises(mig.UnknownProfile, match=r"no profile 1g\.25gb.*1g\.24gb"):
        mig.profile_of(RTX, f"{mig.SLICE_PREFIX}1g.25gb")


def test_a_whole_gpu_has_no_profile() -> None:
    assert mig.profile_of(RTX, GPU) is None


@given(st.text(), st.text())
def test_whatever_it_is_it_has_a_share(product: str, profile: str) -> None:
    assert 0 < mig.share_of(product, f"{mig.SLICE_PREFIX}{profile}") <= 1
