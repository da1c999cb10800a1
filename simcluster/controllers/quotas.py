"""What each ResourceQuota has counted, written to its status a moment after the change."""

from collections.abc import Iterable

from simcluster.controllers import Key, World
from simcluster.objects import kinds, namespace_of
from simcluster.rules import quota
from simcluster.store import Change


class Quotas:
    """Counts namespaces that have a quota."""

    def __init__(self, world: World) -> None:
        self._registry = world.registry
        self._timing = world.timing

    def concerns(self, change: Change) -> Iterable[Key]:
        namespace = namespace_of(change.last)
        if namespace and self._registry.store.every(kinds.RESOURCE_QUOTA, namespace):
            yield (namespace,)

    def delay(self) -> float:
        return self._timing.counting

    def sync(self, key: Key) -> float | None:
        store = self._registry.store
        used = quota.used(store.contents(key[0]))
        for found in store.every(kinds.RESOURCE_QUOTA, key[0]):
            if quota.counts(found):
                self._registry.write_status(kinds.RESOURCE_QUOTA, found, quota.status(found, used))
        return None
