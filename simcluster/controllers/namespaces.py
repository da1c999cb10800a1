"""Emptying of terminating namespaces, with the conditions that say what holds one up."""

from collections import Counter
from collections.abc import Iterable

from simcluster import deletion, errors
from simcluster.controllers import Key, World
from simcluster.deletion import Options
from simcluster.objects import Object, is_terminating, kinds, name_of, namespace_of
from simcluster.objects.kinds import Kind
from simcluster.store import Change


class Namespaces:
    """Deletes what is in a terminating namespace, pods first, and then the namespace."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._registry = world.registry

    def concerns(self, change: Change) -> Iterable[Key]:
        name = namespace_of(change.last)
        if change.kind is kinds.NAMESPACE:
            name = name_of(change.last)
        namespace = self._registry.store.get(kinds.NAMESPACE, "", name)
        if namespace is not None and is_terminating(namespace):
            yield (name,)

    def delay(self) -> float:
        return self._world.timing.counting

    def sync(self, key: Key) -> float | None:
        store = self._registry.store
        namespace = store.get(kinds.NAMESPACE, "", key[0])
        if namespace is None or not is_terminating(namespace):
            return None
        for kind, obj in self._next_to_go(key[0]):
            deletion.delete(self._registry, kind, obj, Options(), self._world.clock())
        left = list(store.contents(key[0]))
        if left:
            status = {"phase": "Terminating", "conditions": self._conditions(namespace, left)}
            self._registry.write_status(kinds.NAMESPACE, namespace, status)
            return self._world.timing.retry
        self._let_go(namespace)
        return None

    def _next_to_go(self, name: str) -> list[tuple[Kind, Object]]:
        store = self._registry.store
        pods = [(kinds.POD, pod) for pod in store.every(kinds.POD, name)]
        leaving = pods or list(store.contents(name))
        return [(kind, obj) for kind, obj in leaving if not is_terminating(obj)]

    def _let_go(self, namespace: Object) -> None:
        finalizers = [f for f in namespace["spec"]["finalizers"] if f != "kubernetes"]
        emptied = {**namespace, "spec": {**namespace["spec"], "finalizers": finalizers}}
        if finalizers or namespace["metadata"].get("finalizers"):
            if emptied != namespace:
                self._registry.store.put(kinds.NAMESPACE, emptied)
        else:
            self._registry.store.remove(kinds.NAMESPACE, namespace)

    def _conditions(self, namespace: Object, left: list[tuple[Kind, Object]]) -> list[Object]:
        resources = Counter(errors.qualified(kind.plural, kind.group) for kind, _ in left)
        finalizers = Counter(
            finalizer for _, obj in left for finalizer in obj["metadata"].get("finalizers") or []
        )
        remaining = ", ".join(f"{r}. has {n} resource instances" for r, n in resources.items())
        holding = ", ".join(f"{f} in {n} resource instances" for f, n in finalizers.items())
        found = [
            _condition(
                "NamespaceDeletionDiscoveryFailure",
                "False",
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
            _condition(
                "NamespaceDeletionGroupVersionParsingFailure",
                "False",
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
            _condition(
                "NamespaceDeletionContentFailure",
                "False",
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
            _condition(
                "NamespaceContentRemaining",
                "True",
                "SomeResourcesRemain",
                f"Some resources are remaining: {remaining}",
            ),
        ]
        if finalizers:
            message = f"Some content in the namespace has finalizers remaining: {holding}"
            found.append(
                _condition("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", message)
            )
        return [self._timed(condition, namespace) for condition in found]

    def _timed(self, condition: Object, namespace: Object) -> Object:
        for known in namespace.get("status", {}).get("conditions") or []:
            same = (known["type"], known["status"]) == (condition["type"], condition["status"])
            if same:
                return {**condition, "lastTransitionTime": known["lastTransitionTime"]}
        return {**condition, "lastTransitionTime": self._registry.now()}


def _condition(kind: str, status: str, reason: str, message: str) -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message}
