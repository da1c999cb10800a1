"""A whole cluster: the store, its rules, its controllers, and what it starts with."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import yaml

from simcluster import access, journal
from simcluster.access import ADMIN, Access
from simcluster.controllers import Controller, Timing, World
from simcluster.controllers.accounts import Accounts
from simcluster.controllers.deployments import Deployments
from simcluster.controllers.garbage import Garbage
from simcluster.controllers.kubelet import Kubelet
from simcluster.controllers.loop import Loop
from simcluster.controllers.namespaces import Namespaces
from simcluster.controllers.nodes import Nodes
from simcluster.controllers.quotas import Quotas
from simcluster.controllers.replicas import Replicas
from simcluster.controllers.scheduler import Scheduler
from simcluster.controllers.volumes import Volumes
from simcluster.journal import Journal
from simcluster.objects import Object, kinds, name_of, namespace_of
from simcluster.registry import Call, Registry
from simcluster.rules import roles
from simcluster.store import Change, Store

logger = logging.getLogger(__name__)

REFERENCE: Final = Path(__file__).with_name("reference.yaml")
FIRST_NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")


def wall_clock() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


class Cluster:
    """Everything but HTTP.  ``state`` is the journal to go on from, None keeps all in memory."""

    def __init__(
        self,
        *,
        state: Path | None = None,
        reference: Path = REFERENCE,
        timing: Timing | None = None,
    ) -> None:
        remembered = journal.load(state) if state else journal.State()
        self.secrets = remembered.secrets or access.new_secrets()
        self.store = Store()
        self.store.restore(
            remembered.version, [(place[0], obj) for place, obj in remembered.objects.items()]
        )
        self.clock = wall_clock
        self.access = Access(self.store, self.secrets, self.clock)
        self.registry = Registry(self.store, self.access, self.clock)
        self._journal = Journal(state, self.secrets, self.store) if state else None
        if self._journal is not None:
            self.store.listeners.append(self._journal.record)
        self._loop = Loop(_controllers(World(self.registry, self.clock, timing or Timing())))
        self._reference = reference

    def start(self) -> None:
        """Make what has to exist, and have every controller look at everything once."""
        self.store.listeners.append(self._loop.tell)
        for obj in _first_objects(self._reference):
            kind = kinds.by_name(obj["apiVersion"], obj["kind"])
            if kind is None:
                raise ValueError(f"{self._reference}: unknown kind {obj['kind']}")
            if self.store.get(kind, namespace_of(obj), name_of(obj)) is None:
                self.registry.create(kind, namespace_of(obj), obj, Call(ADMIN, "simcluster"))
        for kind in kinds.KINDS:
            for obj in self.store.every(kind):
                self._loop.tell(Change(self.store.version, kind, None, obj))

    async def run(self) -> None:
        """Run the controllers until cancelled."""
        await self._loop.run()

    def close(self) -> None:
        """Leave the state file complete."""
        if self._journal is not None:
            self.store.listeners.remove(self._journal.record)
            self._journal.close()


def _controllers(world: World) -> list[Controller]:
    return [
        Accounts(world),
        Quotas(world),
        Namespaces(world),
        Garbage(world),
        Nodes(world),
        Scheduler(world),
        Kubelet(world),
        Volumes(world),
        Deployments(world),
        Replicas(world, kinds.REPLICA_SET),
        Replicas(world, kinds.STATEFUL_SET),
    ]


def _first_objects(reference: Path) -> Iterable[Object]:
    for name in FIRST_NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    yield from roles.bootstrap()
    with reference.open(encoding="utf-8") as file:
        yield from (obj for obj in yaml.safe_load_all(file) if obj)
