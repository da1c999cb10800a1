"""`gpuaas.inventory.labels`: what GPU Feature Discovery writes -> devices."""

import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuaas.inventory.labels import (
    DeviceFacts,
    Labelled,
    NodeFacts,
    NodeReport,
    UnreadableNode,
    facts_of,
    report_of,
)
from tests.make import GPU, SLICE

REFERENCE = Path(__file__).parents[2] / "simcluster" / "reference.yaml"
PRODUCT = "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"


@pytest.fixture
def node() -> dict[str, Any]:
    documents = yaml.safe_load_all(REFERENCE.read_text())
    return next(copy.deepcopy(each) for each in documents if each["kind"] == "Node")


def set_label(node: dict[str, Any], name: str, value: str | None) -> None:
    labels = node["metadata"]["labels"]
    labels.pop(name, None)
    if value is not None:
        labels[name] = value


def test_the_reference_installation(node: dict[str, Any]) -> None:
    assert facts_of(node) == NodeFacts(
        name="gpu-node-1",
        cpu_millicores=127_000,
        memory_mib=790_626_304 // 1024,
        storage_gib=25_983,
        is_schedulable=True,
        devices=(
            DeviceFacts(GPU, 0, PRODUCT, 97_887, 4),
            *(
                DeviceFacts(SLICE, n, f"{PRODUCT}-MIG-1g.24gb", 24_064, 2, Decimal("0.25"))
                for n in range(4)
            ),
        ),
    )


def test_a_node_whose_gpus_are_all_partitioned_has_no_whole_gpu(node: dict[str, Any]) -> None:
    set_label(node, "nvidia.com/gpu.replicas", "0")

    assert {device.resource_name for device in facts_of(node).devices} == {SLICE}


def test_a_node_without_gpus(node: dict[str, Any]) -> None:
    node["metadata"]["labels"] = {"kubernetes.io/os": "linux"}

    assert facts_of(node).devices == ()


def test_a_node_without_labels_or_annotations(node: dict[str, Any]) -> None:
    del node["metadata"]["labels"], node["metadata"]["annotations"]

    facts = facts_of(node)

    assert facts.devices == ()
    assert facts.storage_gib == 2800  # the ephemeral storage


def test_the_largest_volume_group_counts(node: dict[str, Any]) -> None:
    node["metadata"]["annotations"] = {
        "capacity.topolvm.io/00default": str(5 * 2**30),
        "capacity.topolvm.io/vg1": str(7 * 2**30),
        "somebody.else/capacity": str(9 * 2**30),
    }

    assert facts_of(node).storage_gib == 7


def test_a_cordoned_node_is_not_schedulable(node: dict[str, Any]) -> None:
    node["spec"] = {"unschedulable": True}

    assert not facts_of(node).is_schedulable


@pytest.mark.parametrize("value", [None, "0", "1"])
def test_without_time_slicing_a_device_is_one_slot(node: dict[str, Any], value: str | None) -> None:
    set_label(node, f"{SLICE}.replicas", value)

    assert {d.replicas for d in facts_of(node).devices if d.resource_name == SLICE} == {1}


def test_several_mig_profiles(node: dict[str, Any]) -> None:
    for name, value in (("count", "1"), ("memory", "48128"), ("product", "P-MIG-2g.48gb")):
        set_label(node, f"nvidia.com/mig-2g.48gb.{name}", value)

    assert [d.resource_name for d in facts_of(node).devices] == [
        GPU,
        *[SLICE] * 4,
        "nvidia.com/mig-2g.48gb",
    ]


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("nvidia.com/gpu.count", "two"),
        ("nvidia.com/gpu.memory", "97887MiB"),
        ("nvidia.com/gpu.memory", "-1"),
        ("nvidia.com/gpu.replicas", "many"),
        (f"{SLICE}.memory", ""),
        (f"{SLICE}.count", "-4"),
    ],
)
def test_a_label_that_is_no_number_is_an_error_that_names_the_node(
    node: dict[str, Any], label: str, value: str | None
) -> None:
    set_label(node, label, value)

    with pytest.raises(UnreadableNode, match="gpu-node-1"):
        facts_of(node)


@pytest.mark.parametrize("name", ["cpu", "memory"])
@pytest.mark.parametrize("value", [None, "plenty"])
def test_a_quantity_that_is_none_is_an_error(
    node: dict[str, Any], name: str, value: str | None
) -> None:
    node["status"]["allocatable"][name] = value

    with pytest.raises(UnreadableNode, match="gpu-node-1"):
        facts_of(node)


@pytest.mark.parametrize("status", [{}, {"allocatable": {}}, None])
def test_a_node_that_has_not_reported_yet_is_an_error(node: dict[str, Any], status: Any) -> None:
    node["status"] = status

    with pytest.raises(UnreadableNode, match="gpu-node-1"):
        facts_of(node)


def test_a_node_that_cannot_even_be_named_is_an_error() -> None:
    with pytest.raises(UnreadableNode, match="without a name"):
        facts_of({"metadata": {}})


@pytest.mark.parametrize(
    ("kind", "index", "memory_mib"), [("nvidia.com/gpu", 0, 91_552), (SLICE, 1, 22_888)]
)
def test_memory_that_labels_leave_out_is_the_profiles(
    node: dict[str, Any], kind: str, index: int, memory_mib: int
) -> None:
    set_label(node, f"{kind}.memory", None)

    assert facts_of(node).devices[index].memory_mib == memory_mib


def test_memory_that_nobody_knows_is_an_error(node: dict[str, Any]) -> None:
    set_label(node, f"{SLICE}.memory", None)
    set_label(node, f"{SLICE}.product", "Abacus-3000")

    with pytest.raises(UnreadableNode, match=r"mig-1g\.24gb\.memory' is missing"):
        facts_of(node)


# --- what a node offers right now --------------------------------------------------------------


def ready(status: str) -> list[dict[str, str]]:
    return [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": status}]


def test_a_report_counts_devices_and_not_slots(node: dict[str, Any]) -> None:
    shown = {GPU: 4, SLICE: 8}
    product = "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"
    assert report_of(node) == NodeReport(
        "gpu-node-1",
        {GPU: 1, SLICE: 4},
        is_ready=True,
        slots=shown,
        mig_state="success",
        labelled={
            GPU: Labelled(1, product, 97_887),
            SLICE: Labelled(4, f"{product}-MIG-1g.24gb", 24_064),
        },
    )


def test_labels_that_do_not_say_enough_say_nothing_in_a_report(node: dict[str, Any]) -> None:
    node["metadata"]["labels"]["nvidia.com/gpu.count"] = "many"

    assert report_of(node).labelled == {}


@pytest.mark.parametrize(("status", "is_ready"), [("True", True), ("False", False), ("?", False)])
def test_a_report_says_whether_the_node_is_ready(
    node: dict[str, Any], status: str, is_ready: bool
) -> None:
    node["status"]["conditions"] = ready(status)

    assert report_of(node).is_ready is is_ready


def test_replicas_that_were_renamed_are_the_same_devices(node: dict[str, Any]) -> None:
    node["status"]["allocatable"] |= {GPU: "0", f"{GPU}.shared": "4"}

    assert report_of(node).devices[GPU] == 1


def test_a_device_that_fell_off_is_not_reported(node: dict[str, Any]) -> None:
    node["status"]["allocatable"] |= {GPU: "0", SLICE: "5"}

    assert report_of(node).devices == {GPU: 0, SLICE: 2}


def test_a_node_that_says_nothing_reports_nothing() -> None:
    assert report_of({"metadata": {"name": "n"}}) == NodeReport("n", {}, is_ready=True)


def test_a_report_that_is_no_number_names_the_node(node: dict[str, Any]) -> None:
    node["status"]["allocatable"][GPU] = "many"

    with pytest.raises(UnreadableNode, match="gpu-node-1"):
        report_of(node)
