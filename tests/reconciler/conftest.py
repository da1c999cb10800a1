"""A simulated cluster with its inventory in the database, and a clock that a test can turn."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gpuaas.inventory import labels, services
from gpuaas.inventory.models import Cluster, Pool
from reconciler import cluster as port
from reconciler import cycle, observe
from reconciler.cluster import client
from simcluster import testing
from simcluster.testing import Simulator
from tests import make


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    directory = tmp_path / "kubeconfig"
    directory.mkdir()
    simulator = testing.start(directory, plain_http=True)
    yield simulator
    simulator.stop()


@dataclass(slots=True)
class Installation:
    """One cluster as the product knows it, and the passes over it."""

    row: Cluster
    pool: Pool
    kube: port.Cluster
    now: datetime = make.NOON
    tick: timedelta = timedelta(milliseconds=100)
    pauses: list[float] = field(default_factory=list)

    def at(self, hour: float) -> "Installation":
        """Turn the clock to ``hour`` hours after noon."""
        self.now = make.at(hour)
        return self

    def clock(self) -> datetime:
        """Return the time; it moves on a little whenever somebody looks."""
        self.now += self.tick
        return self.now

    def reconcile(self, *, dry_run: bool = False) -> cycle.Report:
        return cycle.run(
            cluster=self.row,
            kube=self.kube,
            clock=self.clock,
            dry_run=dry_run,
            pause=self._pause,
        )

    def objects(self) -> set[str]:
        """Return everything in the cluster that is ours, by address."""
        return {str(ref) for ref in observe.look(self.kube, installation="gpuaas").objects}

    def named(self, kind: str, api_version: str = "v1") -> list[dict[str, Any]]:
        return self.kube.find(api_version, kind)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        time.sleep(0.05)


@pytest.fixture
def installation(db: None, simulator: Simulator) -> Iterator[Installation]:
    kube = client.connect(simulator.kubeconfig)
    row = make.cluster(name="simcluster")
    facts = [labels.facts_of(node) for node in kube.find("v1", "Node")]
    services.import_nodes(cluster=row, nodes=facts, actor=None, now=make.NOON)
    yield Installation(row, services.ensure_default_pool(cluster=row), kube)
    kube.close()
