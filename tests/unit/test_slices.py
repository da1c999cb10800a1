"""What a driver publishes of a node's devices."""

from typing import Any

import pytest

from gpuaas.inventory import slices
from tests.make import GPU, SLICE


def devices_by_node(found: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    return {node: dict(shown) for node, shown in slices.read(found).by_node.items()}


def device(uuid: str, kind: str = "mig", **more: str) -> dict[str, Any]:
    named = {
        "uuid": uuid,
        "type": kind,
        **({"profile": "1g.24gb"} if kind == "mig" else {}),
        **more,
    }
    return {"name": uuid.lower(), "attributes": {k: {"string": v} for k, v in named.items()}}


def resource_slice(*devices: dict[str, Any], **changes: Any) -> dict[str, Any]:
    pool = {"name": "n", "generation": changes.pop("generation", 1)}
    pool["resourceSliceCount"] = changes.pop("of", 1)
    spec = {"driver": "gpu.nvidia.com", "nodeName": "n", "pool": pool, "devices": list(devices)}
    return {"metadata": {"name": "x"}, "spec": {**spec, **changes}}


def test_each_device_is_known_by_its_uuid_and_type() -> None:
    found = devices_by_node([resource_slice(device("GPU-1", "gpu"), device("MIG-1"))])

    assert found == {"n": {"GPU-1": GPU, "MIG-1": SLICE}}


def test_attributes_may_carry_the_drivers_name() -> None:
    attributes = {
        "gpu.nvidia.com/uuid": {"string": "GPU-1"},
        "gpu.nvidia.com/type": {"string": "gpu"},
        "resource.kubernetes.io/pcieRoot": {"string": "pci0000:00"},
    }

    assert devices_by_node([resource_slice({"name": "x", "attributes": attributes})]) == {
        "n": {"GPU-1": GPU}
    }


def test_only_the_latest_generation_counts() -> None:
    old, new = resource_slice(device("MIG-old")), resource_slice(device("MIG-new"), generation=2)

    assert devices_by_node([new, old]) == {"n": {"MIG-new": SLICE}}


def test_half_a_pool_says_nothing() -> None:
    first, second = (resource_slice(device(f"MIG-{n}"), of=2) for n in range(2))

    assert slices.read([first]) == slices.Published({}, frozenset({"n"}))
    assert devices_by_node([first, second]) == {"n": {"MIG-0": SLICE, "MIG-1": SLICE}}


@pytest.mark.parametrize(
    "other",
    [
        resource_slice(device("MIG-1"), driver="compute-domain.nvidia.com"),
        resource_slice(device("MIG-1"), nodeName=None),
        {"metadata": {"name": "empty"}},
    ],
)
def test_what_is_no_gpu_of_a_node_is_left_out(other: dict[str, Any]) -> None:
    assert devices_by_node([other]) == {}


def test_what_is_neither_gpu_nor_slice_is_left_out() -> None:
    odd = [device("VF-1", "vfio"), {"name": "bare"}, device("MIG-1", profile="")]

    assert devices_by_node([resource_slice(*odd)]) == {"n": {}}
