"""One booking's whole life, reconciled on the simulated cluster and on the real control plane."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from kubernetes import client as official
from kubernetes.client.exceptions import ApiException
from pytest_django.fixtures import Settings

from gpuaas.inventory import labels
from gpuaas.inventory import services as inventory
from gpuaas.inventory.models import Cluster as ClusterRow
from gpuaas.inventory.models import Pool
from reconciler import cycle, naming, observe
from reconciler.cluster import Cluster, Ref
from reservations import services
from reservations.capacity import Window
from reservations.models import Reservation
from sessions.models import SessionState, WorkspaceSession
from tests import make
from tests.cluster import objects
from tests.cluster.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.django_db(transaction=True)  # admission wants a transaction of its own

INSTALLATION = "whole-life"


class Product:
    """What stands between the database and the cluster, with passes on demand."""

    def __init__(self, kube: Cluster) -> None:
        self.kube = kube
        self.row: ClusterRow = make.cluster()
        nodes = [labels.facts_of(node) for node in kube.find("v1", "Node")]
        inventory.import_nodes(
            cluster=self.row, nodes=[n for n in nodes if n.devices], actor=None, now=make.NOON
        )
        self.pool: Pool = inventory.ensure_default_pool(cluster=self.row)

    def book(self, *, units: int = 1) -> Reservation:
        team = make.team()
        now = timezone.now()
        return services.admit(
            pool=self.pool,
            team=team,
            requested_by=make.user(teams=(team,)),
            wish=make.wish(units=units, at=Window(now, now + timedelta(hours=1))),
            now=now,
        )

    def reconcile(self, *, clock: Callable[[], datetime] = timezone.now) -> cycle.Report:
        return cycle.run(cluster=self.row, kube=self.kube, clock=clock)

    def reconcile_until(self, reservation: Reservation, state: SessionState) -> WorkspaceSession:
        """Run pass after pass, as the schedule would, until the session is in ``state``."""
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        while True:
            report = self.reconcile()
            session = WorkspaceSession.objects.get(reservation=reservation)
            if session.state == state.value:
                return session
            assert time.monotonic() < deadline, (session.state, report)

    def objects(self) -> set[Ref]:
        return set(observe.look(self.kube, installation=INSTALLATION).objects)


@pytest.fixture
def product(cluster: Cluster, transactional_db: None, settings: Settings) -> Iterator[Product]:
    settings.INSTALLATION = INSTALLATION
    product = Product(cluster)
    yield product
    for ref in product.objects():
        if ref.kind == "Namespace" and (left := cluster.get(ref)) is not None:
            cluster.delete(ref, uid=left["metadata"]["uid"])


@pytest.fixture
def tenants_core(
    product: Product, official_client: Callable[..., Any]
) -> Callable[[Reservation], Any]:
    """Return what makes the official client of a reservation's owner."""
    return lambda reservation: official.CoreV1Api(
        official_client(user=reservation.requested_by.get_username())
    )


def test_a_workspace_appears_serves_its_tenant_and_is_gone(
    product: Product, tenants_core: Callable[[Reservation], Any]
) -> None:
    reservation = product.book(units=2)

    session = product.reconcile_until(reservation, SessionState.READY)
    namespace, tenant = session.namespace, tenants_core(reservation)
    _only_the_booked_type_is_admitted(tenant, namespace)
    _the_quota_is_read_and_never_changed(tenant, namespace)
    assert product.reconcile().changes == []

    reservation.refresh_from_db()
    services.give_back(reservation=reservation, actor=reservation.requested_by, now=timezone.now())
    product.reconcile_until(reservation, SessionState.ENDED)

    assert product.objects() == set()
    assert product.kube.get(Ref("v1", "Namespace", namespace)) is None
    assert product.kube.find("v1", "Pod", namespace=namespace) == []
    assert product.kube.find("v1", "PersistentVolumeClaim", namespace=namespace) == []
    reservation.refresh_from_db()
    assert reservation.state == "COMPLETED"


def _only_the_booked_type_is_admitted(tenant: Any, namespace: str) -> None:
    """The workspace holds one of the two slots; one is left, of the booked type alone."""
    with pytest.raises(ApiException) as refused:
        tenant.create_namespaced_pod(
            namespace, objects.gpu_pod(namespace, objects.WHOLE_GPU, name="wrong")
        )
    assert refused.value.status == 403
    assert "exceeded quota: gpuaas, requested: requests.nvidia.com/gpu=1" in refused.value.body

    tenant.create_namespaced_pod(namespace, objects.gpu_pod(namespace, objects.SLICE, name="right"))
    eventually(lambda: tenant.read_namespaced_pod("right", namespace).status.phase == "Running")
    with pytest.raises(ApiException) as refused:
        tenant.create_namespaced_pod(
            namespace, objects.gpu_pod(namespace, objects.SLICE, name="too-much")
        )
    assert refused.value.status == 403


def _the_quota_is_read_and_never_changed(tenant: Any, namespace: str) -> None:
    quota = tenant.read_namespaced_resource_quota(naming.QUOTA, namespace)
    assert quota.status.hard[f"requests.{objects.SLICE}"] == "2"
    more = {"spec": {"hard": {f"requests.{objects.SLICE}": "4"}}}
    changes: list[Callable[[], Any]] = [
        lambda: tenant.patch_namespaced_resource_quota(naming.QUOTA, namespace, more),
        lambda: tenant.delete_namespaced_resource_quota(naming.QUOTA, namespace),
        lambda: tenant.patch_namespace(namespace, {"metadata": {"labels": {"a": "b"}}}),
    ]
    for change in changes:
        with pytest.raises(ApiException) as refused:
            change()
        assert refused.value.status == 403


def test_a_session_ends_with_its_window_and_its_pods_go_with_it(product: Product) -> None:
    reservation = product.book()
    product.reconcile_until(reservation, SessionState.READY)

    after = reservation.ends_at + timedelta(seconds=1)
    eventually(lambda: not product.reconcile(clock=lambda: after).waiting)

    assert product.objects() == set()
    reservation.refresh_from_db()
    assert (reservation.state, reservation.state_reason) == ("COMPLETED", "its window ended")
