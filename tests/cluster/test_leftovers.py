"""What sessions leave outside their namespaces, taken away with the reconciler's own rights.

On the real control plane alone: the simulated one evaluates no admission policies.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
import yaml
from django.utils import timezone
from pytest_django.fixtures import Settings

from onebox.state import ROOT
from reconciler import garbage, naming
from reconciler.cluster import Cluster, ClusterRefused, Manifest, Ref, ref_to
from sessions.models import SessionState
from tests import make
from tests.cluster import conftest, kinds
from tests.cluster.test_least_privilege import FENCE, _is_let_in, _refusal
from tests.cluster.test_least_privilege import (
    reconcilers_cluster as reconcilers_cluster,  # noqa: PLC0414 -- a fixture
)
from tests.cluster.waiting import eventually

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(conftest.BUILD_SECONDS),
    pytest.mark.parametrize("kubeconfig", ["controlplane"], indirect=True, scope="session"),
]

VOLUMES_MANIFEST: Final = ROOT / "deploy" / "kubernetes" / "reconciler-volumes.yaml"
OPENSHIFT: Final = "security.openshift.io/v1"
PLURAL: Final = "securitycontextconstraints"
NEVER_OURS: Final = "s-ffffffffffffffff"


def account(namespace: str) -> str:
    return f"system:serviceaccount:{namespace}:default"


@pytest.fixture
def fenced(cluster: Cluster, reconcilers_cluster: Cluster) -> Cluster:
    """Return the cluster as the reconciler sees it, once it is let in and fenced in."""
    eventually(lambda: _is_let_in(reconcilers_cluster))
    other = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "other", "namespace": "default"},
    }
    eventually(lambda: FENCE in _refusal(reconcilers_cluster, other))
    return reconcilers_cluster


@pytest.fixture
def openshift(official_client: Callable[..., Any]) -> Iterator[None]:
    """Let the cluster have security contexts for a while, as OpenShift has."""
    kind = "SecurityContextConstraints"
    kinds.serve(official_client(), OPENSHIFT, kind, plural=PLURAL, scope="Cluster")
    yield
    kinds.withdraw(official_client(), f"{PLURAL}.security.openshift.io")


def context(cluster: Cluster, *users: str) -> Manifest:
    return cluster.apply(
        {
            "apiVersion": OPENSHIFT,
            "kind": "SecurityContextConstraints",
            "metadata": {"name": "anyuid", "annotations": {"kubernetes.io/description": "any"}},
            "allowPrivilegedContainer": False,
            "groups": ["system:cluster-admins"],
            "priority": 10,
            "users": list(users),
        }
    )


@pytest.mark.django_db(transaction=True)
def test_accounts_that_are_gone_leave_security_contexts_and_bindings(
    cluster: Cluster, fenced: Cluster, openshift: None
) -> None:
    gone = make.session(state=SessionState.ENDED).namespace
    before = context(cluster, "system:admin", account(gone), account(NEVER_OURS))
    granted = _grant_by_hand(cluster, gone)

    report = garbage.collect(cluster_name="any", kube=fenced, now=timezone.now())

    assert report.removed == [
        str(ref_to(granted)),
        f"SecurityContextConstraints anyuid: {account(gone)}",
    ]
    assert (report.put_off, report.left_over) == ({}, {})
    after = cluster.get(ref_to(before))
    assert after is not None
    assert after["users"] == ["system:admin", account(NEVER_OURS)]
    del before["metadata"], after["metadata"], before["users"], after["users"]
    assert after == before
    assert cluster.get(ref_to(granted)) is None


def _grant_by_hand(cluster: Cluster, namespace: str) -> Manifest:
    """Bind as `oc adm policy add-scc-to-user` does without naming a namespace."""
    return cluster.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:openshift:scc:anyuid"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:openshift:scc:anyuid",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        }
    )


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"allowPrivilegedContainer": True}, id="more-rights"),
        pytest.param({"users": ["system:admin", account("kube-system")]}, id="somebody-in"),
        pytest.param({"users": [account(NEVER_OURS)]}, id="somebody-elses-out"),
        pytest.param({"groups": None}, id="groups-out"),
        pytest.param({"readOnlyRootFilesystem": True}, id="one-more-field"),
        pytest.param({"metadata": {"labels": {"a": "b"}}}, id="a-label"),
        pytest.param({"metadata": {"annotations": None}}, id="no-annotations"),
        pytest.param({"metadata": {"finalizers": ["example.com/never"]}}, id="a-finalizer"),
    ],
)
def test_nothing_else_of_a_security_context_is_its_to_change(
    cluster: Cluster, fenced: Cluster, openshift: None, fields: Manifest
) -> None:
    seen = context(cluster, "system:admin", account(NEVER_OURS))

    with pytest.raises(ClusterRefused, match=FENCE):
        fenced.change(seen, fields)


@pytest.fixture
def may_delete_volumes(cluster: Cluster) -> Iterator[None]:
    made = [cluster.apply(each) for each in yaml.safe_load_all(VOLUMES_MANIFEST.read_text())]
    yield
    for each in made:
        cluster.delete(ref_to(each), uid=each["metadata"]["uid"])


def volume(cluster: Cluster, namespace: str, **labels: str) -> Manifest:
    """Return a volume of a claim that is gone, as the control plane has marked it."""
    made = cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"of-{namespace}", "labels": labels},
            "spec": {
                "capacity": {"storage": "20Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "by-hand",
                "csi": {"driver": "example.com", "volumeHandle": "1"},
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": namespace,
                    "name": "home",
                    "uid": "00000000-0000-4000-8000-000000000000",
                },
            },
        }
    )

    def released() -> Manifest | None:
        found = cluster.get(ref_to(made))
        return found if found and found["status"]["phase"] == "Released" else None

    return eventually(released) or {}


@pytest.mark.django_db(transaction=True)
def test_a_volume_that_a_session_left_is_handed_to_its_driver(
    cluster: Cluster, fenced: Cluster, may_delete_volumes: None, settings: Settings
) -> None:
    settings.RELEASED_VOLUMES_DAYS = 7
    gone = make.session(state=SessionState.ENDED).namespace
    left = volume(cluster, gone)

    report = garbage.collect(cluster_name="any", kube=fenced, now=make.NOON + timedelta(days=8))

    assert report.removed == [f"PersistentVolume of-{gone}"]
    found = cluster.get(ref_to(left))
    assert found is None or found["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    _remove(cluster, left)


@pytest.mark.parametrize(
    ("namespace", "labels", "fields"),
    [
        pytest.param("shop", {}, {}, id="of-somebody-else"),
        pytest.param("s-00000000000000aa", {naming.KEPT_LABEL: "x"}, {}, id="kept"),
        pytest.param(
            "s-00000000000000aa", {}, {"capacity": {"storage": "1Gi"}}, id="another-field"
        ),
        pytest.param("s-00000000000000aa", {}, {"claimRef": None}, id="for-anybody"),
    ],
)
def test_nothing_else_of_a_volume_is_its_to_change(
    cluster: Cluster,
    fenced: Cluster,
    may_delete_volumes: None,
    namespace: str,
    labels: dict[str, str],
    fields: Manifest,
) -> None:
    left = volume(cluster, namespace, **labels)

    with pytest.raises(ClusterRefused, match=FENCE):
        fenced.change(left, {"spec": {"persistentVolumeReclaimPolicy": "Delete", **fields}})

    _remove(cluster, left)


def _remove(cluster: Cluster, left: Manifest) -> None:
    if found := cluster.get(Ref("v1", "PersistentVolume", left["metadata"]["name"])):
        cluster.change(found, {"metadata": {"finalizers": None}})
        cluster.delete(ref_to(found), uid=found["metadata"]["uid"])
