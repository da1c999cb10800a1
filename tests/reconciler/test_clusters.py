"""Several clusters side by side: one that hangs holds up nobody else."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from gpuaas.inventory import labels, services
from gpuaas.inventory.models import Cluster, Pool
from reconciler import cycle
from reconciler.connections import connect
from reservations import lifecycle
from reservations.capacity import Window
from simcluster.testing import Simulator
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: it
clusters: [{name: it, cluster: {server: "http://127.0.0.1:%d"}}]
contexts: [{name: it, context: {cluster: it, user: it}}]
users: [{name: it, user: {}}]
"""


@pytest.fixture
def lit(simulator: Simulator, settings: Settings) -> Pool:
    """Return the pool of a cluster that answers."""
    settings.KUBECONFIG_DIR = str(simulator.kubeconfig.parent)
    cluster = make.cluster(name="simcluster")
    kube = connect(cluster)
    facts = [labels.facts_of(node) for node in kube.find("v1", "Node")]
    services.import_nodes(cluster=cluster, nodes=facts, actor=None, now=make.NOON)
    kube.close()
    return services.ensure_default_pool(cluster=cluster)


@pytest.fixture
def hanging(simulator: Simulator) -> Iterator[Cluster]:
    """Return a cluster whose API server takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = Path(simulator.kubeconfig.parent, "a-hanging-one.kubeconfig")
        path.write_text(KUBECONFIG % server.getsockname()[1])
        yield make.cluster(name="a-hanging-one")
    for thread in threading.enumerate():  # what was left at work ends with the server
        if thread.name == "cluster-a-hanging-one":
            thread.join(30)


def test_a_cluster_that_hangs_does_not_hold_up_the_others(lit: Pool, hanging: Cluster) -> None:
    now = timezone.now()
    reservation = make.reservation(
        of=lit, at=Window(now - timedelta(minutes=1), now + timedelta(hours=1))
    )
    began = time.monotonic()

    hung, answered = cycle.run_on_each_cluster(clock=timezone.now, patience=timedelta(seconds=5))

    assert time.monotonic() - began < 10
    assert "still at work" in hung.put_off["a-hanging-one"]
    assert answered.put_off == {}
    reservation.refresh_from_db()
    assert reservation.state == lifecycle.State.ACTIVE.value

    again, _ = cycle.run_on_each_cluster(clock=timezone.now, patience=timedelta(seconds=5))
    assert again.skipped == "another pass over this cluster is running"
