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

from gpuaas.inventory import gpu_operator, selectors
from gpuaas.inventory.models import Device, Exposure
from onebox.state import ROOT
from reconciler import garbage, naming
from reconciler.cluster import Cluster, ClusterRefused, Manifest, Ref, client, ref_to
from reservations import services
from sessions.models import SessionState
from tests.cluster import conftest
from tests.cluster.test_exposed import expose
from tests.cluster.test_whole_life import INSTALLATION, Product
from tests.cluster.waiting import eventually
from tests.make import GPU, SLICE

MANIFEST = ROOT / "deploy" / "kubernetes" / "reconciler-rbac.yaml"
OPERATOR_MANIFEST = ROOT / "deploy" / "kubernetes" / "reconciler-gpu-operator.yaml"
OPERATOR = "gpu-operator"
FENCE = "the reconciler works in the namespaces of sessions only"
NAMESPACE, ACCOUNT = "gpuaas-system", "reconciler"
NODE = "gpu-node-1"


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
    expose(product.row, Exposure.INGRESS)
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


@pytest.fixture
def operators_cluster(cluster: Cluster, reconcilers_cluster: Cluster) -> Iterator[Cluster]:
    """Return the same with the role for the GPU Operator, which has its namespace."""
    documents = list(yaml.safe_load_all(OPERATOR_MANIFEST.read_text()))
    made = [cluster.apply(document) for document in documents]
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR}})
    eventually(lambda: _is_let_in(reconcilers_cluster))
    yield reconcilers_cluster
    for name in (gpu_operator.MIG_CONFIG_MAP, gpu_operator.PLUGIN_CONFIG_MAP):
        made += [found] if (found := cluster.get(Ref("v1", "ConfigMap", name, OPERATOR))) else []
    for each in made:
        cluster.delete(ref_to(each), uid=each["metadata"]["uid"])


@pytest.mark.django_db(transaction=True)
def test_it_tells_the_gpu_operator_how_a_node_is_cut(
    operators_cluster: Cluster, cluster: Cluster, settings: Settings
) -> None:
    settings.INSTALLATION = INSTALLATION
    product = Product(operators_cluster)
    Device.objects.filter(resource_name=SLICE).update(gpu_index=0)
    Device.objects.filter(resource_name=GPU).update(gpu_index=1)
    product.row.gpu_operator_namespace = OPERATOR
    product.row.save()
    told = selectors.operators_view(product.row)
    before = _labels(cluster)

    eventually(lambda: not product.reconcile().waiting)

    for name in (gpu_operator.MIG_CONFIG_MAP, gpu_operator.PLUGIN_CONFIG_MAP):
        assert cluster.get(Ref("v1", "ConfigMap", name, OPERATOR)) is not None
    assert _labels(cluster) == {**before, **told.labels[NODE]}


@pytest.fixture
def fenced(operators_cluster: Cluster) -> Cluster:
    """Return the same once the policies are in force, a moment after they were made."""
    other = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "other", "namespace": OPERATOR},
    }
    eventually(lambda: FENCE in _refusal(operators_cluster, other))
    return operators_cluster


@pytest.mark.cluster
@pytest.mark.timeout(conftest.BUILD_SECONDS)
@pytest.mark.parametrize("kubeconfig", ["controlplane"], indirect=True, scope="session")
@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"labels": {"gpuaas.io/mine": "yes"}}},
        {"metadata": {"annotations": {"gpuaas.io/mine": "yes"}}},
        {"spec": {"unschedulable": True, "taints": [{"key": "mine", "effect": "NoExecute"}]}},
        {"spec": {"taints": [{"key": "mine", "effect": "NoExecute"}]}},
    ],
    ids=["another-label", "annotation", "cordon-and-taint", "taint"],
)
def test_nothing_else_of_a_node_is_its_to_change(fenced: Cluster, change: dict[str, Any]) -> None:
    metadata = {"name": NODE, **change.get("metadata", {})}
    node = {"apiVersion": "v1", "kind": "Node", **change, "metadata": metadata}

    assert FENCE in _refusal(fenced, node)


@pytest.mark.cluster
@pytest.mark.timeout(conftest.BUILD_SECONDS)
@pytest.mark.parametrize("kubeconfig", ["controlplane"], indirect=True, scope="session")
def test_a_node_whose_gpus_are_not_the_operators_is_not_its_to_cordon(
    fenced: Cluster, cluster: Cluster
) -> None:
    name = "another-node"
    other = cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})

    refused = _refusal(fenced, {**_named(other), "spec": {"unschedulable": True}})
    labelled = {"labels": {gpu_operator.MIG_CONFIG_LABEL: "mine"}}
    at_once = {"metadata": {**_named(other)["metadata"], **labelled}}
    refused_at_once = _refusal(
        fenced, {**_named(other), **at_once, "spec": {"unschedulable": True}}
    )
    cluster.delete(ref_to(other), uid=other["metadata"]["uid"])

    assert FENCE in refused
    assert FENCE in refused_at_once


def _named(node: Manifest) -> Manifest:
    metadata = {key: node["metadata"][key] for key in ("name", "uid")}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}


def _refusal(kube: Cluster, manifest: Manifest) -> str:
    try:
        kube.apply(manifest)
    except ClusterRefused as refused:
        return str(refused)
    return ""


def _labels(kube: Cluster) -> dict[str, str]:
    node = kube.get(Ref("v1", "Node", NODE))
    assert node is not None
    found: dict[str, str] = node["metadata"]["labels"]
    return found


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
