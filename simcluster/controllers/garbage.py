"""Garbage collection: what is owned by nothing that exists any more goes too."""

from collections.abc import Iterable

from simcluster import deletion
from simcluster.controllers import Key, World
from simcluster.deletion import FOREGROUND, Options
from simcluster.objects import Object, is_terminating, uid_of
from simcluster.objects.kinds import Kind
from simcluster.store import Change


class Garbage:
    """Follows owner references; a key is an owner's UID, and where it is if it waits for us."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.registry.store

    def concerns(self, change: Change) -> Iterable[Key]:
        owners = change.last["metadata"].get("ownerReferences") or []
        yield from ((reference["uid"],) for reference in owners)
        if change.new is None or FOREGROUND in change.new["metadata"].get("finalizers", []):
            yield (uid_of(change.last),)

    def delay(self) -> float:
        return self._world.timing.reaction

    def sync(self, key: Key) -> float | None:
        owner = self._store.find(key[0])
        if owner is not None and not _waits(owner[1]):
            return None
        dependents = self._store.dependents(key[0])
        for kind, obj in dependents:
            if not is_terminating(obj) and not self._has_another_owner(obj):
                deletion.delete(self._world.registry, kind, obj, Options(), self._world.clock())
        if owner is not None and not self._store.dependents(key[0]):
            self._let_go(*owner)
        return None

    def _has_another_owner(self, obj: Object) -> bool:
        for reference in obj["metadata"]["ownerReferences"]:
            owner = self._store.find(reference["uid"])
            if owner is not None and not _waits(owner[1]):
                return True
        return False

    def _let_go(self, kind: Kind, owner: Object) -> None:
        finalizers = [f for f in owner["metadata"]["finalizers"] if f != FOREGROUND]
        if finalizers:
            metadata = {**owner["metadata"], "finalizers": finalizers}
            self._store.put(kind, {**owner, "metadata": metadata})
        else:
            self._store.remove(kind, owner)


def _waits(owner: Object) -> bool:
    """Return whether the owner is deleted and stays only until its dependents are gone."""
    return is_terminating(owner) and FOREGROUND in owner["metadata"].get("finalizers", [])
