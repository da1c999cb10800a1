"""A token for a session's namespace, made by the reconciler, on both clusters."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from django.utils import timezone
from kubernetes import client as official
from kubernetes.client.exceptions import ApiException
from pytest_django.fixtures import Settings

from gpuaas.inventory.models import Cluster as ClusterRow
from reconciler import cycle
from reconciler.cluster import Cluster, ClusterRefused
from reservations.models import Reservation
from sessions import services
from sessions.models import ClusterToken, SessionState, TokenState, WorkspaceSession
from tests.cluster import objects
from tests.cluster.conftest import BUILD_SECONDS
from tests.cluster.test_least_privilege import (
    FENCE,
)
from tests.cluster.test_least_privilege import (
    reconcilers_cluster as reconcilers_cluster,  # noqa: PLC0414 -- a fixture
)
from tests.cluster.test_whole_life import INSTALLATION, Product
from tests.cluster.test_whole_life import product as product  # noqa: PLC0414 -- a fixture
from tests.cluster.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


def _ask(product: Product, booking: Reservation) -> ClusterToken:
    ClusterRow.objects.update(api_url="https://api.lab.example.com:6443")
    booking = Reservation.objects.select_related("pool__cluster").get(pk=booking.pk)
    return services.ask_token(
        reservation=booking,
        session=WorkspaceSession.objects.get(reservation=booking),
        person=booking.requested_by,
        now=timezone.now(),
    )


def _take(booking: Reservation) -> str:
    """Return the token in the kubeconfig that the owner takes."""
    booking = Reservation.objects.select_related("pool__cluster").get(pk=booking.pk)
    found, _ = services.take_token(
        reservation=booking,
        session=WorkspaceSession.objects.get(reservation=booking),
        person=booking.requested_by,
        now=timezone.now(),
    )
    token: str = yaml.safe_load(yaml.safe_dump(found))["users"][0]["user"]["token"]
    return token


def _status_of(call: Callable[[], Any]) -> int:
    try:
        call()
    except ApiException as refused:
        return int(refused.status)
    return 200


def test_it_works_in_the_sessions_namespace_and_nowhere_else(
    product: Product, official_client: Callable[..., Any]
) -> None:
    mine, others = product.book(), product.book()
    session = product.reconcile_until(mine, SessionState.READY)
    other = product.reconcile_until(others, SessionState.READY)
    _ask(product, mine)

    assert product.reconcile().changes == [f"token for {session.namespace}"]
    assert product.reconcile().changes == []
    core = official.CoreV1Api(official_client(token=_take(mine)))

    assert core.read_namespaced_resource_quota("gpuaas", session.namespace).status.hard
    core.create_namespaced_config_map(session.namespace, objects.config_map(session.namespace))
    assert _status_of(lambda: core.list_namespaced_pod(other.namespace)) == 403
    assert _status_of(lambda: core.list_namespaced_secret("kube-system")) == 403
    assert _status_of(core.list_namespace) == 403
    assert _status_of(core.list_node) == 403
    change = {"spec": {"hard": {"pods": "1000"}}}
    assert (
        _status_of(
            lambda: core.patch_namespaced_resource_quota("gpuaas", session.namespace, change)
        )
        == 403
    )


def test_it_ends_with_the_window(product: Product) -> None:
    booking = product.book()  # for an hour
    product.reconcile_until(booking, SessionState.READY)
    _ask(product, booking)
    product.reconcile()

    token = ClusterToken.objects.get()

    assert token.expires_at is not None
    assert abs(token.expires_at - booking.ends_at) < timedelta(seconds=30)


def test_when_the_session_is_gone_so_is_the_token(
    product: Product, official_client: Callable[..., Any]
) -> None:
    booking = product.book()
    session = product.reconcile_until(booking, SessionState.READY)
    _ask(product, booking)
    product.reconcile()
    core = official.CoreV1Api(official_client(token=_take(booking)))
    assert _status_of(lambda: core.list_namespaced_pod(session.namespace)) == 200

    after = booking.ends_at + timedelta(seconds=1)
    eventually(lambda: not product.reconcile(clock=lambda: after).waiting)

    eventually(lambda: _status_of(lambda: core.list_namespaced_pod(session.namespace)) == 401)


def test_almost_at_the_end_its_owner_reads_why_there_is_none(product: Product) -> None:
    booking = product.book()
    product.reconcile_until(booking, SessionState.READY)
    _ask(product, booking)
    late = booking.ends_at - timedelta(minutes=5)

    product.reconcile(clock=lambda: late)

    token = ClusterToken.objects.get()
    assert (token.state_at(late), token.problem) == (
        TokenState.REFUSED,
        "the window is almost over",
    )


def test_a_dry_run_asks_for_none(product: Product) -> None:
    booking = product.book()
    product.reconcile_until(booking, SessionState.READY)
    _ask(product, booking)

    report = _dry(product, clock=timezone.now)

    assert report == [f"token for {WorkspaceSession.objects.get().namespace}"]
    assert ClusterToken.objects.get().made_at is None


@pytest.mark.cluster
@pytest.mark.timeout(BUILD_SECONDS)
@pytest.mark.parametrize("kubeconfig", ["controlplane"], indirect=True, scope="session")
def test_the_least_role_is_enough_and_no_more(
    reconcilers_cluster: Cluster, cluster: Cluster, settings: Settings, namespace: str
) -> None:
    settings.INSTALLATION = INSTALLATION
    cluster.apply(_account(namespace))
    eventually(lambda: FENCE in _refusal(reconcilers_cluster, namespace, "workspace", 3600))
    product = Product(reconcilers_cluster)
    booking = product.book()
    session = product.reconcile_until(booking, SessionState.READY)
    _ask(product, booking)
    product.reconcile()

    assert ClusterToken.objects.get().state_at(timezone.now()) == TokenState.READY
    another = _refusal(reconcilers_cluster, session.namespace, "default", 3600)
    assert "cannot create resource" in another
    longer = _refusal(reconcilers_cluster, session.namespace, "workspace", 12 * 3600 + 1)
    assert "12 hours at most" in longer
    after = booking.ends_at + timedelta(seconds=1)
    eventually(lambda: not product.reconcile(clock=lambda: after).waiting)


def _account(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "workspace", "namespace": namespace},
    }


def _refusal(kube: Cluster, namespace: str, account: str, seconds: int) -> str:
    try:
        kube.request_token(namespace, account, seconds=seconds)
    except ClusterRefused as refused:
        return str(refused)
    return "nothing: it made one"


def _dry(product: Product, *, clock: Callable[[], datetime]) -> list[str]:

    return cycle.run(cluster=product.row, kube=product.kube, clock=clock, dry_run=True).changes
