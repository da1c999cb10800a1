"""The objects, their versions and their recent history.

Every write gets the next resource version and is told to the listeners before the writer goes on.
Stored objects are never changed in place, so they may be handed out without copying.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from simcluster.errors import expired
from simcluster.objects import Object, kinds, name_of, namespace_of, uid_of
from simcluster.objects.kinds import Kind

HISTORY_LENGTH: Final = 10_000
FIRST_VERSION: Final = 100

Place: TypeAlias = tuple[Kind, str, str]
Listener: TypeAlias = "Callable[[Change], None]"


@dataclass(frozen=True, slots=True)
class Change:
    """One write: ``old`` is None for a new object, ``new`` is None for a removed one."""

    version: int
    kind: Kind
    old: Object | None
    new: Object | None

    @property
    def last(self) -> Object:
        """Return the object as it is, or as it last was; with this version either way."""
        if self.new is not None:
            return self.new
        assert self.old is not None  # noqa: S101 -- a change has a before or an after
        metadata = {**self.old["metadata"], "resourceVersion": str(self.version)}
        return {**self.old, "metadata": metadata}


class Store:
    """All objects of the cluster, in memory."""

    def __init__(self) -> None:
        self.version = FIRST_VERSION
        self.listeners: list[Listener] = []
        self._objects: dict[Kind, dict[str, dict[str, Object]]] = {
            kind: defaultdict(dict) for kind in kinds.KINDS
        }
        self._dependents: dict[str, set[Place]] = defaultdict(set)
        self._uids: dict[str, Place] = {}
        self._history: deque[Change] = deque(maxlen=HISTORY_LENGTH)
        self._oldest_known = self.version

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return the object, or None."""
        return self._objects[kind].get(namespace, {}).get(name)

    def every(self, kind: Kind, namespace: str = "") -> list[Object]:
        """Return the objects of a kind by namespace and name; no namespace means all."""
        by_namespace = self._objects[kind]
        chosen = [namespace] if namespace else sorted(by_namespace)
        return [
            by_namespace[place][name]
            for place in chosen
            if place in by_namespace
            for name in sorted(by_namespace[place])
        ]

    def contents(self, namespace: str) -> Iterator[tuple[Kind, Object]]:
        """Yield everything in a namespace, also what outlived its Namespace object."""
        for kind, by_namespace in self._objects.items():
            if kind.namespaced:
                for obj in list(by_namespace.get(namespace, {}).values()):
                    yield kind, obj

    def dependents(self, uid: str) -> list[tuple[Kind, Object]]:
        """Return the objects that name ``uid`` as an owner."""
        found = ((kind, self.get(kind, ns, name)) for kind, ns, name in self._dependents[uid])
        return [(kind, obj) for kind, obj in found if obj is not None]

    def has(self, uid: str) -> bool:
        """Return whether an object with this UID exists."""
        return uid in self._uids

    def find(self, uid: str) -> tuple[Kind, Object] | None:
        """Return the object with this UID and its kind, or None."""
        if uid not in self._uids:
            return None
        kind, namespace, name = self._uids[uid]
        return kind, self._objects[kind][namespace][name]

    def put(self, kind: Kind, obj: Object) -> Object:
        """Store ``obj`` under the next version and return it as stored."""
        old = self.get(kind, namespace_of(obj), name_of(obj))
        self.version += 1
        metadata = {**obj["metadata"], "resourceVersion": str(self.version)}
        new = {**obj, "metadata": metadata}
        self._place(kind, old, new)
        self._tell(Change(self.version, kind, old, new))
        return new

    def remove(self, kind: Kind, obj: Object) -> None:
        """Forget the object; it has to be there."""
        old = self._objects[kind][namespace_of(obj)][name_of(obj)]
        self.version += 1
        self._place(kind, old, None)
        self._tell(Change(self.version, kind, old, None))

    def restore(self, version: int, objects: list[tuple[Kind, Object]]) -> None:
        """Start from what an earlier run stored.  Its history is gone: old watches expire."""
        for kind, obj in objects:
            self._place(kind, None, obj)
        self.version = max(self.version, version)
        self._oldest_known = self.version

    def since(self, version: int) -> list[Change]:
        """Return what happened after ``version``, or raise 410 when that is no longer known."""
        if version < self._oldest_known:
            raise expired(f"too old resource version: {version} ({self._oldest_known})")
        return [change for change in self._history if change.version > version]

    def forget_history(self) -> None:
        """Make every version but the present one too old, as a compaction does."""
        self._history.clear()
        self._oldest_known = self.version

    def _place(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        if old is not None:
            del self._objects[kind][namespace_of(old)][name_of(old)]
            self._uids.pop(uid_of(old), None)
            for uid in _owners(old):
                self._dependents[uid].discard((kind, namespace_of(old), name_of(old)))
        if new is not None:
            self._objects[kind][namespace_of(new)][name_of(new)] = new
            self._uids[uid_of(new)] = (kind, namespace_of(new), name_of(new))
            for uid in _owners(new):
                self._dependents[uid].add((kind, namespace_of(new), name_of(new)))

    def _tell(self, change: Change) -> None:
        if len(self._history) == HISTORY_LENGTH:
            self._oldest_known = self._history[0].version
        self._history.append(change)
        for listener in list(self.listeners):
            listener(change)


def _owners(obj: Object) -> list[str]:
    return [reference["uid"] for reference in obj["metadata"].get("ownerReferences") or []]


def place_of(kind: Kind, obj: Object) -> Place:
    """Return where the object is: its kind, namespace and name."""
    return kind, namespace_of(obj), name_of(obj)


def is_same(one: Object | None, other: Object | None) -> bool:
    """Return whether both are the same object (not merely of the same name)."""
    return one is not None and other is not None and uid_of(one) == uid_of(other)
