"""A planned layout on the real control plane, with the reconciler's own account: the test plays
the MIG manager and the device plugin, the API server, its fence and the scheduler are real."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from kubernetes import client as official
from pytest_django.fixtures import Settings

from gpuaas.accounts.models import OrganisationRole
from gpuaas.inventory import gpu_operator, layouts, operator_files
from gpuaas.inventory.models import Device, Node, PlannedLayout
from reconciler.cluster import Cluster, Ref
from reservations import services
from reservations.capacity import Window
from sessions.models import SessionState, WorkspaceSession
from tests import make
from tests.cluster import conftest, objects
from tests.cluster.test_least_privilege import (
    NODE,
    OPERATOR,
    operators_cluster,
    reconcilers_cluster,
)
from tests.cluster.test_whole_life import INSTALLATION, Product
from tests.cluster.waiting import eventually
from tests.make import GPU, SLICE
from tests.reconciler import gpu_operators

__all__ = ["operators_cluster", "reconcilers_cluster"]

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(conftest.BUILD_SECONDS),
    pytest.mark.parametrize("kubeconfig", ["controlplane"], indirect=True, scope="session"),
    pytest.mark.django_db(transaction=True),
]
STATE = gpu_operators.MIG_STATE


class Manager:
    """What NVIDIA's pods would do on the node by now."""

    def __init__(self, core: Any, cluster: Cluster) -> None:
        self.core, self.cluster = core, cluster

    def says(self, state: str) -> None:
        self.core.patch_node(NODE, {"metadata": {"labels": {STATE: state}}})

    def works(self) -> None:
        """Cut and share the GPUs as the node's labels choose from the two ConfigMaps."""
        slots = gpu_operators.told(self.cluster, namespace=OPERATOR)
        assert slots is not None
        plugin = self.cluster.get(Ref("v1", "ConfigMap", gpu_operator.PLUGIN_CONFIG_MAP, OPERATOR))
        assert plugin is not None
        sharing = operator_files.read_plugin_config(
            plugin["data"][self.label(gpu_operator.PLUGIN_CONFIG_LABEL)]
        )
        self.says("pending")
        resources = {name: str(slots.get(name, 0)) for name in (GPU, SLICE)}
        self.core.patch_node_status(
            NODE, {"status": {"capacity": resources, "allocatable": resources}}
        )
        labels = {f"{name}.replicas": str(sharing.get(name, 1)) for name in (GPU, SLICE)}
        self.core.patch_node(NODE, {"metadata": {"labels": labels}})
        self.says("success")

    def label(self, name: str) -> str:
        found: str = self.core.read_node(NODE).metadata.labels[name]
        return found

    @property
    def is_cordoned(self) -> bool:
        return bool(self.core.read_node(NODE).spec.unschedulable)


@pytest.fixture
def manager(cluster: Cluster, official_client: Callable[..., Any]) -> Any:
    core = official.CoreV1Api(official_client())
    before = core.read_node(NODE)
    yield Manager(core, cluster)
    core.patch_node(
        NODE, {"metadata": {"labels": before.metadata.labels}, "spec": {"unschedulable": None}}
    )
    status = {"capacity": before.status.capacity, "allocatable": before.status.allocatable}
    core.patch_node_status(NODE, {"status": status})


@pytest.fixture
def product(operators_cluster: Cluster, manager: Manager, settings: Settings) -> Product:
    settings.INSTALLATION = INSTALLATION
    product = Product(operators_cluster)
    Device.objects.filter(resource_name=SLICE).update(gpu_index=0)
    Device.objects.filter(resource_name=GPU).update(gpu_index=1)
    product.row.gpu_operator_namespace = OPERATOR
    product.row.save()
    eventually(lambda: not product.reconcile().waiting)
    manager.works()
    product.reconcile()
    assert Node.objects.get(name=NODE).frozen_because == ""
    return product


# The API server lets a session's pods start in their window alone: that is when this hour is now.
RUNNING = 1.6


def beginning() -> datetime:
    return timezone.now() - timedelta(hours=RUNNING)


def planned(hours: tuple[float, float]) -> PlannedLayout:
    now = beginning()
    return services.plan_layout(
        node=Node.objects.select_related("pool", "cluster").get(name=NODE),
        gpu_index=0,
        cut={GPU: 1},
        times=layouts.Times(*(now + timedelta(hours=each) for each in hours)),
        reason="a large model",
        actor=make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN),
        now=now,
    )


def state(layout: PlannedLayout) -> str:
    layout.refresh_from_db()
    return layout.state


def later(product: Product, hours: float) -> None:
    product.reconcile(clock=lambda: beginning() + timedelta(hours=hours))


def test_a_gpu_is_whole_for_its_time_and_its_booking_runs_on_it(
    product: Product, manager: Manager, cluster: Cluster, namespace: str
) -> None:
    before = manager.label(gpu_operator.MIG_CONFIG_LABEL)
    layout = planned((1, 6))
    team, now = make.team(), beginning()
    window = Window(now + timedelta(hours=1.5), now + timedelta(hours=5))
    booked = services.admit(
        pool=product.pool,
        team=team,
        requested_by=make.user(teams=(team,)),
        wish=make.wish(resource_name=GPU, units=2, at=window),
        now=now,
    )

    later(product, 1.01)
    assert (state(layout), manager.is_cordoned) == ("cutting", True)
    assert manager.label(gpu_operator.MIG_CONFIG_LABEL) != before
    cluster.apply(objects.gpu_pod(namespace, GPU, name="stranger"))
    eventually(lambda: _is_unschedulable(manager.core, namespace, "stranger"))
    manager.core.delete_namespaced_pod("stranger", namespace, grace_period_seconds=0)
    later(product, 1.05)
    assert state(layout) == "cutting"  # it has done nothing yet

    manager.works()
    later(product, 1.1)
    assert (state(layout), manager.is_cordoned) == ("stands", False)
    assert dict(manager.core.read_node(NODE).status.allocatable)[GPU] == "2"

    def is_ready() -> bool:
        later(product, RUNNING)
        found = WorkspaceSession.objects.filter(reservation=booked).first()
        return bool(found and found.state == SessionState.READY.value)

    eventually(is_ready)
    later(product, 6.01)  # what was booked has ended: it is stopped, and then the GPU is cut
    for _ in range(20):
        if state(layout) == "cutting_back":
            break
        later(product, 6.02)
    assert (state(layout), manager.is_cordoned) == ("cutting_back", True)
    assert not WorkspaceSession.objects.exclude(state=SessionState.ENDED.value).exists()
    assert manager.label(gpu_operator.MIG_CONFIG_LABEL) == before
    manager.works()
    later(product, 6.1)
    assert (state(layout), manager.is_cordoned) == ("over", False)


def test_what_cannot_be_cut_is_cut_back(product: Product, manager: Manager) -> None:
    before = manager.label(gpu_operator.MIG_CONFIG_LABEL)
    layout = planned((1, 6))
    later(product, 1.01)
    assert state(layout) == "cutting"

    manager.says("failed")
    later(product, 1.05)

    assert (state(layout), manager.is_cordoned) == ("rolling_back", True)
    assert manager.label(gpu_operator.MIG_CONFIG_LABEL) == before
    manager.works()
    later(product, 1.1)
    assert (state(layout), manager.is_cordoned) == ("failed", False)


def _is_unschedulable(core: Any, namespace: str, name: str) -> bool:
    conditions = core.read_namespaced_pod(name, namespace).status.conditions or []
    return any(each.reason == "Unschedulable" for each in conditions)
