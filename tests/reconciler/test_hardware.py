"""What a pass learns of the nodes: devices and health, at the cost of one listing."""

from functools import partial

import pytest

from gpuaas.inventory.models import Node
from simcluster.testing import Simulator
from tests.cluster.waiting import eventually
from tests.make import GPU, SLICE
from tests.reconciler.conftest import Installation


def node() -> Node:
    return Node.objects.get()


def becomes(installation: Installation, *, is_ready: bool) -> bool:
    installation.reconcile()
    return node().is_ready is is_ready


def test_a_pass_keeps_what_the_nodes_offer(installation: Installation) -> None:
    report = installation.reconcile()

    assert report.changes == [f"node gpu-node-1: {GPU} 1, {SLICE} 4, ready"]
    assert (node().reported_devices, node().is_ready) == ({GPU: 1, SLICE: 4}, True)
    before = installation.now
    assert installation.reconcile().changes == []
    assert before < (node().reported_at or before) < installation.now


def test_a_node_without_power_is_not_ready_until_it_is_back(
    installation: Installation, simulator: Simulator
) -> None:
    for is_on in (False, True):
        simulator.power("gpu-node-1", is_on=is_on)
        eventually(partial(becomes, installation, is_ready=is_on))


def test_a_node_that_is_gone_offers_nothing(installation: Installation) -> None:
    Node.objects.update(name="gpu-node-0")

    installation.reconcile()

    assert (node().reported_devices, node().is_ready) == ({}, False)


def test_nodes_that_cannot_be_listed_stop_nothing_else(
    installation: Installation, simulator: Simulator
) -> None:
    simulator.fault(kind="error", code=403, path="/nodes", times=0)

    report = installation.reconcile()

    assert list(report.put_off) == [f"hardware:{installation.row}"]
    assert node().reported_devices is None


def test_a_dry_run_keeps_nothing(installation: Installation) -> None:
    report = installation.reconcile(dry_run=True)

    assert len(report.changes) == 1
    assert node().reported_devices is None


def test_a_node_that_cannot_be_read_keeps_its_last_report(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.reconcile()
    nodes = installation.named("Node")
    nodes[0]["status"]["allocatable"][GPU] = "many"
    find = installation.kube.find

    def broken(api_version: str, kind: str, **more: object) -> list[dict[str, object]]:
        return nodes if kind == "Node" else find(api_version, kind, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(installation.kube, "find", broken)

    assert installation.reconcile().changes == []
    assert node().is_ready
