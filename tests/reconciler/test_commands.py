"""The operators' commands and the tasks of the schedule, from the credentials' file on."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from gpuaas.inventory.models import Cluster, Node, Pool
from reconciler import tasks
from reconciler.cluster import ClusterUnavailable
from reconciler.connections import connect
from reservations import lifecycle
from sessions.models import WorkspaceSession
from simcluster.testing import Simulator
from tests import make
from tests.reconciler.conftest import Installation

pytestmark = pytest.mark.django_db


@pytest.fixture
def reachable(simulator: Simulator, settings: Settings) -> Cluster:
    """Return a cluster whose credentials are mounted as in a deployment."""
    settings.KUBECONFIG_DIR = str(simulator.kubeconfig.parent)
    return make.cluster(name="simcluster")  # the simulator writes simcluster.kubeconfig


def run(command: str, **options: Any) -> tuple[str, int]:
    """Return what a command printed, and its exit status."""
    out, status = io.StringIO(), 0
    try:
        call_command(command, stdout=out, **options)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return out.getvalue(), status


def test_sync_inventory_reads_the_reference_node(reachable: Cluster) -> None:
    out, _ = run("sync_inventory", cluster="simcluster", create_pools=True)

    assert "+ node gpu-node-1" in out
    node = Node.objects.get(cluster=reachable)
    assert node.devices.count() == 5
    assert node.pool == Pool.objects.get(cluster=reachable)


def test_sync_inventory_says_when_nothing_differs(reachable: Cluster) -> None:
    run("sync_inventory", cluster="simcluster")

    assert run("sync_inventory", cluster="simcluster")[0] == "nothing differs\n"


def test_a_dry_sync_writes_nothing(reachable: Cluster) -> None:
    out, _ = run("sync_inventory", cluster="simcluster", dry_run=True)

    assert "+ node gpu-node-1" in out
    assert not Node.objects.filter(cluster=reachable).exists()


def test_sync_inventory_names_the_cluster_it_does_not_know() -> None:
    with pytest.raises(CommandError, match="no enabled cluster named atlantis"):
        run("sync_inventory", cluster="atlantis")


def test_sync_inventory_says_that_there_are_no_credentials(settings: Settings) -> None:
    settings.KUBECONFIG_DIR = ""
    make.cluster(name="dark")

    with pytest.raises(CommandError, match="no credentials for cluster dark"):
        run("sync_inventory", cluster="dark")


def test_reconcile_reports_as_json(reachable: Cluster) -> None:
    out, status = run("reconcile", once=True, json=True)

    [report] = json.loads(out)["clusters"]
    assert (report["cluster"], report["api_calls"], report["changes"]) == (
        "simcluster",
        {"list": 11},
        [],
    )
    assert status == 0


def test_reconcile_reports_in_lines(reachable: Cluster) -> None:
    out, _ = run("reconcile", once=True)

    assert out.splitlines() == ["cluster simcluster", "  api calls: list: 11", "  looks: 1"]


def test_collect_garbage_reports_as_json(reachable: Cluster) -> None:
    out, status = run("collect_garbage", once=True, json=True)

    assert json.loads(out)["clusters"][0]["removed"] == []
    assert status == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("command", ["reconcile", "collect_garbage"])
def test_a_cluster_that_is_down_delays_only_itself(reachable: Cluster, command: str) -> None:
    make.cluster(name="a-dark-one")

    out, status = run(command, once=True, json=True)

    dark, lit = json.loads(out)["clusters"]
    assert "no credentials" in dark["put_off"]["a-dark-one"]
    assert lit["put_off"] == {}
    assert status == 1


@pytest.mark.django_db(transaction=True)
def test_the_tasks_do_what_the_commands_do(
    installation: Installation, settings: Settings, simulator: Simulator
) -> None:
    settings.KUBECONFIG_DIR = str(simulator.kubeconfig.parent)
    reservation = make.reservation(of=installation.pool)
    type(reservation).objects.filter(pk=reservation.pk).update(state=lifecycle.State.CANCELED.value)

    tasks.reconcile()
    tasks.collect_garbage()

    assert not WorkspaceSession.objects.exists()


def test_inside_a_cluster_the_pods_own_account_is_used() -> None:
    cluster = make.cluster()
    cluster.in_cluster = True

    with pytest.raises(ClusterUnavailable, match="no usable credentials"):
        connect(cluster)


def test_broken_credentials_are_an_outage_and_no_crash(settings: Settings, tmp_path: Path) -> None:
    settings.KUBECONFIG_DIR = str(tmp_path)
    (tmp_path / "broken.kubeconfig").write_text("not: [a kubeconfig")

    with pytest.raises(ClusterUnavailable):
        connect(make.cluster(name="broken"))
