"""With the role of deploy/ the reconciler does all its work, and nothing beyond it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.utils import timezone
from kubernetes import client as official
from pytest_django.fixtures import Settings

from onebox.state import ROOT
from reconciler import garbage, naming
from reconciler.cluster import Cluster, ClusterRefused, Ref, client
from reservations import services
from sessions.models import SessionState
from tests.cluster import conftest
from tests.cluster.test_whole_life import INSTALLATION, Product
from tests.cluster.waiting import eventually

MANIFEST = ROOT / "deploy" / "kubernetes" / "reconciler-rbac.yaml"
NAMESPACE, ACCOUNT = "gpuaas-system", "reconciler"


@pytest.fixture
def reconcilers_cluster(
    cluster: Cluster, kubeconfig: Path, official_client: Callable[..., Any], tmp_path: Path
) -> Iterator[Cluster]:
    """Return the cluster as the reconciler's own account sees it."""
    for document in yaml.safe_load_all(MANIFEST.read_text()):
        cluster.apply(document)
    token = official.CoreV1Api(official_client()).create_namespaced_service_account_token(
        ACCOUNT,
        NAMESPACE,
        official.AuthenticationV1TokenRequest(
            spec=official.V1TokenRequestSpec(audiences=[], expiration_seconds=3600)
        ),
    )
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"] = [{"name": "reconciler", "user": {"token": token.status.token}}]
    for context in config["contexts"]:
        context["context"]["user"] = "reconciler"
    own = tmp_path / "reconciler.kubeconfig"
    own.write_text(json.dumps(config))
    connected = client.connect(own)
    with conftest.policies_in_force(cluster):  # it needs no more than they let it do, either
        yield connected
    connected.close()


@pytest.mark.django_db(transaction=True)
def test_a_bookings_whole_life_needs_no_more(
    reconcilers_cluster: Cluster, settings: Settings
) -> None:
    settings.INSTALLATION = INSTALLATION
    eventually(lambda: _is_let_in(reconcilers_cluster))
    product = Product(reconcilers_cluster)
    reservation = product.book()

    product.reconcile_until(reservation, SessionState.READY)
    reservation.refresh_from_db()
    services.give_back(reservation=reservation, actor=reservation.requested_by, now=timezone.now())
    product.reconcile_until(reservation, SessionState.ENDED)
    orphan = {"name": "s-orphan", "labels": naming.ours(INSTALLATION)}
    product.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": orphan})
    report = garbage.collect(cluster_name="any", kube=product.kube, now=timezone.now())

    assert report.removed == ["s-orphan"]
    eventually(lambda: product.objects() == set())


@pytest.mark.parametrize(
    "ref",
    [
        Ref("v1", "Secret", "any", "kube-system"),
        Ref("v1", "ConfigMap", "any", "kube-system"),
        Ref("v1", "Node", "gpu-node-1"),
        Ref("rbac.authorization.k8s.io/v1", "ClusterRole", "cluster-admin"),
    ],
    ids=str,
)
def test_what_it_does_not_need_it_may_not_read(reconcilers_cluster: Cluster, ref: Ref) -> None:
    with pytest.raises(ClusterRefused):
        reconcilers_cluster.get(ref)


def test_it_cannot_make_itself_more(reconcilers_cluster: Cluster) -> None:
    rbac = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "more", "namespace": NAMESPACE},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
    }

    with pytest.raises(ClusterRefused, match="attempting to grant RBAC permissions"):
        reconcilers_cluster.apply(binding)


def _is_let_in(kube: Cluster) -> bool:
    """Return whether the binding, made a moment ago, counts already."""
    try:
        kube.find("v1", "Namespace")
    except ClusterRefused:
        return False
    return True
