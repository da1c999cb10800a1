"""`reconciler.garbage`: what is ours and nobody's goes; everything else stays."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from reconciler import garbage, leftovers, naming
from reconciler.cluster import Ref
from sessions.models import SessionState, WorkspaceSession
from simcluster.testing import Simulator
from tests import make
from tests.cluster.waiting import eventually
from tests.reconciler.conftest import Installation

RBAC = "rbac.authorization.k8s.io/v1"
OURS = naming.ours("gpuaas")


def namespace(name: str, labels: dict[str, str], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels, **metadata},
    }


def collect(
    installation: Installation, *, now: datetime = make.NOON, dry_run: bool = False
) -> garbage.Report:
    return garbage.collect(
        cluster_name="simcluster",
        kube=installation.kube,
        now=now,
        dry_run=dry_run,
    )


def names(installation: Installation) -> set[str]:
    """Return the namespaces that are not on their way out."""
    return {
        each["metadata"]["name"]
        for each in installation.named("Namespace")
        if "deletionTimestamp" not in each["metadata"]
    }


def test_a_namespace_that_no_session_owns_is_removed(installation: Installation) -> None:
    installation.kube.apply(namespace("s-orphan", OURS))

    report = collect(installation)

    assert report.removed == ["s-orphan"]
    assert "s-orphan" not in names(installation)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("kubeflow", {}),
        ("s-lookalike", {naming.MANAGED_BY_LABEL: "helm"}),
        ("s-neighbour", naming.ours("another-installation")),
    ],
)
def test_what_is_not_ours_stays(
    installation: Installation, name: str, labels: dict[str, str]
) -> None:
    installation.kube.apply(namespace(name, labels))

    assert collect(installation).removed == []
    assert name in names(installation)


def test_a_running_session_stays(installation: Installation) -> None:
    reservation = make.reservation(of=installation.pool, at=make.window(0, 4))
    installation.reconcile()
    session = WorkspaceSession.objects.get(reservation=reservation)

    assert collect(installation).removed == []
    assert session.namespace in names(installation)


def test_a_dry_run_only_tells(installation: Installation) -> None:
    installation.kube.apply(namespace("s-orphan", OURS))

    assert collect(installation, dry_run=True).removed == ["s-orphan"]
    assert "s-orphan" in names(installation)


def test_a_failed_removal_is_told_and_the_others_go_on(
    installation: Installation, simulator: Simulator
) -> None:
    for name in ("s-orphan-1", "s-orphan-2"):
        installation.kube.apply(namespace(name, OURS))
    simulator.fault(kind="error", code=500, method="DELETE", path="s-orphan-1")

    report = collect(installation)

    assert list(report.put_off) == ["s-orphan-1"]
    assert report.removed == ["s-orphan-2"]


def test_a_namespace_stuck_in_terminating_is_told_with_the_clusters_reasons(
    installation: Installation,
) -> None:
    asked_at = stuck_since(installation, "example.com/pinned")

    assert collect(installation, now=asked_at + timedelta(minutes=9)).stuck == {}
    stuck = collect(installation, now=asked_at + timedelta(minutes=11)).stuck
    assert list(stuck) == ["s-stuck"]
    assert "ConfigMap s-stuck/pinned waits for example.com/pinned" in stuck["s-stuck"]


def stuck_since(installation: Installation, *finalizers: str) -> datetime:
    """Leave a namespace of ours Terminating; return since when."""
    installation.kube.apply(namespace("s-stuck", OURS))
    installation.kube.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "pinned",
                "namespace": "s-stuck",
                "finalizers": list(finalizers),
            },
        }
    )
    collect(installation)
    pinned = Ref("v1", "ConfigMap", "pinned", "s-stuck")
    eventually(lambda: "deletionTimestamp" in (installation.kube.get(pinned) or {})["metadata"])
    found = installation.kube.get(Ref("v1", "Namespace", "s-stuck"))
    assert found is not None
    return datetime.fromisoformat(found["metadata"]["deletionTimestamp"])


@pytest.mark.parametrize(
    ("listed", "minutes", "goes"),
    [
        pytest.param(["example.com/pinned"], 31, True, id="listed-and-waited-for"),
        pytest.param(["example.com/pinned"], 29, False, id="too-early"),
        pytest.param([], 31, False, id="not-listed"),
        pytest.param(["example.com/other"], 31, False, id="another-listed"),
    ],
)
def test_a_finalizer_that_an_operator_calls_safe_is_taken_off_after_a_while(
    installation: Installation, settings: Settings, listed: list[str], minutes: int, goes: bool
) -> None:
    settings.RELEASABLE_FINALIZERS = listed
    asked_at = stuck_since(installation, "example.com/pinned")

    report = collect(installation, now=asked_at + timedelta(minutes=minutes))

    gone = ["ConfigMap s-stuck/pinned: example.com/pinned"]
    assert report.removed == (gone if goes else [])
    if goes:
        eventually(lambda: installation.kube.get(Ref("v1", "Namespace", "s-stuck")) is None)
    else:
        assert installation.kube.get(Ref("v1", "Namespace", "s-stuck")) is not None


def test_finalizers_that_nobody_listed_stay_beside_one_that_goes(
    installation: Installation, settings: Settings
) -> None:
    settings.RELEASABLE_FINALIZERS = ["example.com/pinned"]
    asked_at = stuck_since(installation, "example.com/pinned", "example.com/holy")

    collect(installation, now=asked_at + timedelta(minutes=31))

    left = installation.kube.get(Ref("v1", "ConfigMap", "pinned", "s-stuck"))
    assert left is not None
    assert left["metadata"]["finalizers"] == ["example.com/holy"]


def test_a_dry_run_takes_nothing_off(installation: Installation, settings: Settings) -> None:
    settings.RELEASABLE_FINALIZERS = ["example.com/pinned"]
    asked_at = stuck_since(installation, "example.com/pinned")

    report = collect(installation, now=asked_at + timedelta(minutes=31), dry_run=True)

    assert report.removed == ["ConfigMap s-stuck/pinned: example.com/pinned"]
    assert installation.kube.get(Ref("v1", "ConfigMap", "pinned", "s-stuck")) is not None


def test_a_stuck_namespace_that_cannot_be_looked_into_spoils_nothing(
    installation: Installation, simulator: Simulator
) -> None:
    asked_at = stuck_since(installation, "example.com/pinned")
    simulator.fault(kind="error", code=500, path="s-stuck/configmaps")

    report = collect(installation, now=asked_at + timedelta(minutes=11))

    assert list(report.put_off) == ["s-stuck"]
    assert list(report.stuck) == ["s-stuck"]


def grant(name: str, to: str, *, namespace: str = "") -> dict[str, Any]:
    """Return a binding of the role "view" to the default account of the namespace ``to``."""
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "view",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": to}],
    }


@pytest.mark.parametrize("namespace_of_grant", ["", "default"])
def test_grants_to_a_session_that_is_gone_are_removed(
    installation: Installation, namespace_of_grant: str
) -> None:
    ended = make.session(state=SessionState.ENDED).namespace
    going = make.session(state=SessionState.READY).namespace
    never_ours = "s-ffffffffffffffff"
    for to in (ended, going, never_ours):
        installation.kube.apply(grant(f"to-{to}", to, namespace=namespace_of_grant))

    report = collect(installation)

    kind = "RoleBinding" if namespace_of_grant else "ClusterRoleBinding"
    place = f"{namespace_of_grant}/" if namespace_of_grant else ""
    assert report.removed == [f"{kind} {place}to-{ended}"]
    left = {each["metadata"]["name"] for each in installation.named(kind, RBAC)}
    assert left >= {f"to-{going}", f"to-{never_ours}"}
    assert f"to-{ended}" not in left


def test_grants_stay_as_long_as_something_of_that_name_is_there(
    installation: Installation,
) -> None:
    ended = make.session(state=SessionState.ENDED).namespace
    installation.kube.apply(namespace(ended, {}))
    installation.kube.apply(grant("them", ended))

    assert collect(installation).removed == []


def released(installation: Installation, of: str) -> None:
    """Leave a volume behind whose claim is gone."""
    installation.kube.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "left"},
            "spec": {
                "capacity": {"storage": "20Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": "/nowhere"},
                "claimRef": {"namespace": of, "name": "home", "uid": "0"},
            },
            "status": {"phase": "Released"},
        }
    )
    eventually(lambda: _phase_of_the_volume(installation) == "Released")


def _phase_of_the_volume(installation: Installation) -> str:
    found = installation.kube.get(Ref("v1", "PersistentVolume", "left"))
    return found.get("status", {}).get("phase", "") if found else "gone"


def test_a_released_volume_is_told_of_by_default(installation: Installation) -> None:
    ended = make.session(state=SessionState.ENDED).namespace
    released(installation, ended)

    told = collect(installation).left_over

    said = f"kept from {ended}, which is gone: its data is still there"
    assert told == {"PersistentVolume left": said}
    assert _phase_of_the_volume(installation) == "Released"


def test_a_released_volume_goes_after_so_many_days(
    installation: Installation, settings: Settings
) -> None:
    settings.RELEASED_VOLUMES_DAYS = 7
    released(installation, make.session(state=SessionState.ENDED).namespace)

    early = collect(installation, now=make.NOON + timedelta(days=6))
    late = collect(installation, now=make.NOON + timedelta(days=8))

    assert (early.removed, late.removed) == ([], ["PersistentVolume left"])
    eventually(lambda: _phase_of_the_volume(installation) == "gone")


def test_an_account_that_is_gone_leaves_the_security_contexts(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on OpenShift; `tests/cluster/test_leftovers.py` does it on a real control plane."""
    ended = make.session(state=SessionState.ENDED).namespace
    context = {
        "apiVersion": "security.openshift.io/v1",
        "kind": "SecurityContextConstraints",
        "metadata": {"name": "anyuid", "resourceVersion": "7"},
        "users": ["system:admin", f"system:serviceaccount:{ended}:default"],
    }
    sent: list[tuple[Any, Any]] = []
    monkeypatch.setattr(leftovers, "_security_contexts", lambda _kube: [context])
    monkeypatch.setattr(installation.kube, "change", lambda *change: sent.append(change))

    report = collect(installation)

    assert sent == [(context, {"users": ["system:admin"]})]
    assert report.removed == [
        f"SecurityContextConstraints anyuid: system:serviceaccount:{ended}:default"
    ]


def test_what_changed_since_it_was_seen_is_put_off(
    installation: Installation, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RELEASED_VOLUMES_DAYS = 0
    released(installation, make.session(state=SessionState.ENDED).namespace)
    find = installation.kube.find

    def stale(api_version: str, kind: str, **more: Any) -> list[Any]:
        found = find(api_version, kind, **more)
        for each in found if kind == "PersistentVolume" else []:
            each["metadata"]["resourceVersion"] = "1"
        return found

    monkeypatch.setattr(installation.kube, "find", stale)

    report = collect(installation, now=make.NOON + timedelta(days=1))

    assert list(report.put_off) == ["PersistentVolume left"]
    assert _phase_of_the_volume(installation) == "Released"
