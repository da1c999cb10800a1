"""`reconciler.garbage`: what is ours and nobody's goes; everything else stays."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler import garbage, naming
from reconciler.cluster import Ref
from sessions.models import WorkspaceSession
from simcluster.testing import Simulator
from tests import make
from tests.reconciler.conftest import Installation

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
