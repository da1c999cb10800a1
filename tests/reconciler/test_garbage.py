"""`reconciler.garbage`: what is ours and nobody's goes; everything else stays."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler import garbage, naming
from reconciler.cluster import Ref
from sessions.models import SessionState, WorkspaceSession
from simcluster.testing import Simulator
from tests import make
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
    installation.kube.apply(namespace("s-stuck", OURS))
    installation.kube.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "pinned",
                "namespace": "s-stuck",
                "finalizers": ["example.com/pinned"],
            },
        }
    )
    collect(installation)
    found = installation.kube.get(Ref("v1", "Namespace", "s-stuck"))
    assert found is not None
    asked_at = datetime.fromisoformat(found["metadata"]["deletionTimestamp"])

    assert collect(installation, now=asked_at + timedelta(minutes=9)).stuck == {}
    stuck = collect(installation, now=asked_at + timedelta(minutes=11)).stuck
    assert list(stuck) == ["s-stuck"]


def terminating(*conditions: tuple[str, str, str]) -> dict[str, Any]:
    found = [{"type": k, "status": status, "message": said} for k, status, said in conditions]
    return namespace("s-stuck", OURS) | {"status": {"conditions": found}}


@pytest.mark.parametrize("rung", range(len(garbage.LADDER)))
def test_what_has_to_be_cleared_first_says_what_to_do(rung: int) -> None:
    """All rungs from here on are in the way, told from below; those above are well."""
    conditions = [
        (kind, "True" if number >= rung else "False", f"because of {number}")
        for number, (kind, _) in enumerate(garbage.LADDER)
    ]

    said = garbage.why_stuck(terminating(*reversed(conditions)))

    kind, advice = garbage.LADDER[rung]
    assert f"{kind}: because of {rung}" in said
    assert said.endswith(f" -- {advice}")
    assert all(f"because of {number}" not in said for number in range(rung))


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([], "no reason given"),
        ([("NamespaceContentRemaining", "False", "all gone")], "no reason given"),
        ([("SomethingNew", "True", "unheard of")], "SomethingNew: unheard of"),
    ],
)
def test_a_reason_that_nobody_knows_is_told_as_it_is(
    conditions: list[tuple[str, str, str]], said: str
) -> None:
    assert garbage.why_stuck(terminating(*conditions)) == said


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


def test_a_volume_kept_from_a_session_that_is_gone_is_told(installation: Installation) -> None:
    ended = make.session(state=SessionState.ENDED).namespace
    installation.kube.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "kept"},
            "spec": {
                "capacity": {"storage": "20Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": "/nowhere"},
                "claimRef": {"namespace": ended, "name": "home", "uid": "0"},
            },
            "status": {"phase": "Released"},
        }
    )

    told = collect(installation).left_over

    phase = installation.named("PersistentVolume")[0].get("status", {}).get("phase")
    assert (phase, told) == (
        "Released",
        {"PersistentVolume kept": f"kept from {ended}, which is gone: its data is still there"},
    )
