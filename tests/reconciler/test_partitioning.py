"""The GPU Operator is told what the inventory says, and relied on only when it has done it."""

from functools import partial

import pytest

from gpuaas.audit.models import AuditEvent
from gpuaas.inventory import gpu_operator, selectors, services
from gpuaas.inventory.models import Cluster, Device, Node
from gpuaas.notifications.models import OutboxMessage
from reconciler.cluster import Ref
from reservations import lifecycle
from reservations.models import Reservation
from simcluster.testing import Simulator
from tests import make
from tests.cluster.waiting import eventually
from tests.make import GPU, SLICE
from tests.reconciler.conftest import Installation
from tests.reconciler.gpu_operators import MIG_STATE, shows

NAMESPACE = "gpu-operator"
MIG = Ref("v1", "ConfigMap", gpu_operator.MIG_CONFIG_MAP, NAMESPACE)
PLUGIN = Ref("v1", "ConfigMap", gpu_operator.PLUGIN_CONFIG_MAP, NAMESPACE)


@pytest.fixture
def managed(installation: Installation) -> Installation:
    """Return an installation that configures its GPU Operator; which GPU is cut is known."""
    installation.kube.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    )
    Cluster.objects.filter(pk=installation.row.pk).update(gpu_operator_namespace=NAMESPACE)
    Device.objects.filter(resource_name=SLICE).update(gpu_index=0)
    Device.objects.filter(resource_name=GPU).update(gpu_index=1)
    installation.row.refresh_from_db()
    return installation


def labels_of(installation: Installation) -> dict[str, str]:
    found: dict[str, str] = installation.named("Node")[0]["metadata"]["labels"]
    return found


def node() -> Node:
    return Node.objects.get()


def reservation_state(reservation: Reservation) -> str:
    reservation.refresh_from_db()
    return reservation.state


def test_a_cluster_whose_operator_others_configure_is_left_alone(
    installation: Installation,
) -> None:
    installation.reconcile()

    assert installation.kube.get(MIG) is None
    assert labels_of(installation)[gpu_operator.MIG_CONFIG_LABEL] == "gpuaas-mixed"


def test_the_configuration_comes_first_and_the_labels_when_it_was_seen(
    managed: Installation,
) -> None:
    told = selectors.operators_view(managed.row)

    report = managed.reconcile()

    mig, plugin = managed.kube.get(MIG), managed.kube.get(PLUGIN)
    assert mig is not None
    assert plugin is not None
    assert (mig["data"], plugin["data"]) == (told.mig_config, told.plugin_config)
    assert told.labels["gpu-node-1"].items() <= labels_of(managed).items()
    changes = [change for change in report.changes if change.startswith(("apply", "label"))]
    assert changes == [
        f"apply {MIG}",
        f"apply {PLUGIN}",
        "label gpu-node-1: "
        + ", ".join(f"{name}={value}" for name, value in told.labels["gpu-node-1"].items()),
    ]
    assert labels_of(managed)["nvidia.com/gpu.count"] == "1"  # others' labels stay


def test_the_second_pass_writes_nothing_and_costs_one_listing_more_than_the_look(
    managed: Installation, simulator: Simulator
) -> None:
    managed.reconcile()
    shows(simulator, slots={GPU: 4, SLICE: 4})  # as the plugin does once it was told
    managed.reconcile()

    report = managed.reconcile()

    assert report.changes == []
    assert report.api_calls == {"list": 11}


def test_a_changed_configuration_comes_back(managed: Installation) -> None:
    managed.reconcile()
    stored = managed.kube.get(MIG)
    assert stored is not None
    labels = stored["metadata"]["labels"]
    metadata = {"name": MIG.name, "namespace": MIG.namespace, "labels": labels}
    managed.kube.apply({**stored, "metadata": metadata, "data": {"config.yaml": "version: v1"}})

    managed.reconcile()

    restored = managed.kube.get(MIG)
    assert restored is not None
    assert restored["data"] == selectors.operators_view(managed.row).mig_config


def test_a_node_is_not_partitioned_anew_while_a_session_runs_on_it(managed: Installation) -> None:
    before = labels_of(managed)[gpu_operator.MIG_CONFIG_LABEL]
    reservation = make.reservation(
        of=managed.pool, at=make.window(-1, 5), state=lifecycle.State.ACTIVE
    )
    make.session(of=reservation)

    managed.reconcile()

    found = labels_of(managed)
    told = selectors.operators_view(managed.row).labels["gpu-node-1"]
    assert found[gpu_operator.MIG_CONFIG_LABEL] == before
    assert found[gpu_operator.PLUGIN_CONFIG_LABEL] == told[gpu_operator.PLUGIN_CONFIG_LABEL]


def test_a_label_of_ours_stays_while_a_session_runs_and_another_changes(
    managed: Installation, simulator: Simulator
) -> None:
    managed.reconcile()
    before = labels_of(managed)[gpu_operator.MIG_CONFIG_LABEL]
    reservation = make.reservation(
        of=managed.pool, at=make.window(-1, 5), state=lifecycle.State.ACTIVE
    )
    make.session(of=reservation)
    Device.objects.filter(resource_name=GPU).update(replicas=2)

    managed.reconcile()
    managed.reconcile()

    # What an apply leaves out is taken away, and without it the operator cuts nothing or anew.
    assert labels_of(managed)[gpu_operator.MIG_CONFIG_LABEL] == before


def test_a_node_that_the_inventory_does_not_know_well_enough_is_left_alone(
    managed: Installation,
) -> None:
    Device.objects.filter(resource_name=SLICE).update(gpu_index=None)
    before = labels_of(managed)

    managed.reconcile()

    assert labels_of(managed) == before


def test_a_dry_run_labels_nothing(managed: Installation) -> None:
    managed.reconcile()
    Device.objects.filter(resource_name=GPU).update(replicas=2)
    before = labels_of(managed)

    managed.reconcile(dry_run=True)

    assert labels_of(managed) == before


@pytest.mark.parametrize("state", ["pending", "rebooting", "failed"])
def test_nothing_starts_on_a_node_that_is_being_partitioned_and_nothing_fails_by_it(
    installation: Installation, simulator: Simulator, state: str
) -> None:
    installation.reconcile()
    reservation = make.reservation(of=installation.pool, at=make.window(1, 5))
    shows(simulator, labels={MIG_STATE: state}, slots={})
    installation.reconcile()

    installation.at(1).reconcile()

    assert reservation_state(reservation) == "APPROVED"
    assert node().frozen_because != ""
    assert node().reported_devices == {GPU: 1, SLICE: 4}  # what it shows now means nothing
    told = OutboxMessage.objects.filter(event="node.frozen")
    assert [message.data["reason"] for message in told] == [node().frozen_because]
    assert not reservation.flags.exists()

    shows(simulator, labels={MIG_STATE: "success"}, slots={GPU: 4, SLICE: 8})
    installation.reconcile()
    assert node().frozen_because == ""
    eventually(partial(_starts, installation, reservation))


def _starts(installation: Installation, reservation: Reservation) -> bool:
    installation.reconcile()
    return reservation_state(reservation) == "ACTIVE"


def test_nothing_starts_on_a_node_that_shows_other_numbers_than_it_was_told(
    managed: Installation, simulator: Simulator
) -> None:
    reservation = make.reservation(of=managed.pool, at=make.window(1, 5))
    managed.reconcile()  # its plugin still hands out each slice twice

    managed.at(1).reconcile()

    assert node().frozen_because == f"it offers 8 of {SLICE}, and 4 were expected"
    assert reservation_state(reservation) == "APPROVED"
    assert AuditEvent.objects.filter(action="node.reported").latest("pk").data["frozen_because"]

    shows(simulator, slots={GPU: 4, SLICE: 4})
    eventually(partial(_starts, managed, reservation))


def test_a_shared_pools_slices_are_expected_as_often_as_they_are_handed_out(
    managed: Installation,
) -> None:
    services.share_devices(
        pool=managed.pool,
        is_shared=True,
        reason="prototypes only",
        actor=None,
        now=managed.now,
    )

    managed.reconcile()

    assert node().frozen_because == ""
