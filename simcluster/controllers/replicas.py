"""Replica sets and stateful sets: the pods they stand for, made and counted."""

from collections.abc import Iterable

from simcluster import deletion
from simcluster.bodies import suffix
from simcluster.controllers import Key, World, acting_as, events
from simcluster.deletion import Options
from simcluster.errors import ApiError
from simcluster.objects import (
    Object,
    is_owned_by,
    is_terminating,
    kinds,
    name_of,
    namespace_of,
    owner_reference,
    pods,
)
from simcluster.objects.kinds import Kind
from simcluster.store import Change


class Replicas:
    """Keeps one kind of set at its number of pods."""

    def __init__(self, world: World, kind: Kind) -> None:
        self._world = world
        self._kind = kind
        self._registry = world.registry
        self._store = world.registry.store

    def concerns(self, change: Change) -> Iterable[Key]:
        if change.kind is self._kind and change.new is not None:
            yield namespace_of(change.new), name_of(change.new)
        elif change.kind is kinds.POD:
            for owner in change.last["metadata"].get("ownerReferences") or []:
                if owner["kind"] == self._kind.name:
                    yield namespace_of(change.last), owner["name"]

    def delay(self) -> float:
        return self._world.timing.reaction

    def sync(self, key: Key) -> float | None:
        owner = self._store.get(self._kind, *key)
        if owner is None or is_terminating(owner):
            return None
        owned = [pod for pod in self._store.every(kinds.POD, key[0]) if is_owned_by(pod, owner)]
        active = [pod for pod in owned if not is_terminating(pod) and not pods.is_finished(pod)]
        if self._kind is kinds.STATEFUL_SET:
            refusal = self._in_order(owner, owned)
        else:
            refusal = self._in_any_order(owner, active)
        self._registry.write_status(self._kind, owner, _status(owner, active, refusal))
        return self._world.timing.retry if refusal else None

    def _in_any_order(self, owner: Object, active: list[Object]) -> str:
        """Add or remove pods; return why one could not be added."""
        wanted = owner["spec"]["replicas"]
        for _ in range(wanted - len(active)):
            if refusal := self._add(owner, f"{name_of(owner)}-{suffix()}"):
                return refusal
        expendable = sorted(active, key=pods.is_ready)
        for pod in expendable[: max(len(active) - wanted, 0)]:
            self._remove(pod)
        return ""

    def _in_order(self, owner: Object, owned: list[Object]) -> str:
        """Add the next pod once all before it are ready, or remove the last one."""
        by_name = {name_of(pod): pod for pod in owned}
        wanted = owner["spec"]["replicas"]
        names = [f"{name_of(owner)}-{ordinal}" for ordinal in range(wanted)]
        for ordinal, name in enumerate(names):
            pod = by_name.get(name)
            if pod is None:
                self._claim(owner, ordinal)
                return self._add(owner, name)
            if not pods.is_ready(pod) or is_terminating(pod):
                return ""
        surplus = sorted(by_name.keys() - set(names))
        if surplus and not is_terminating(by_name[surplus[-1]]):
            self._remove(by_name[surplus[-1]])
        return ""

    def _add(self, owner: Object, name: str) -> str:
        template = owner["spec"]["template"]
        metadata = {
            **(template.get("metadata") or {}),
            "name": name,
            "ownerReferences": [owner_reference(owner)],
        }
        spec = {**template["spec"], "volumes": _volumes(owner, name)}
        if not spec["volumes"]:
            del spec["volumes"]
        body = {"kind": "Pod", "metadata": metadata, "spec": spec}
        actor = acting_as(f"{self._kind.name.lower()}-controller")
        try:
            self._registry.create(kinds.POD, namespace_of(owner), body, actor)
        except ApiError as error:
            message = f"Error creating: {error.message}"
            events.record(self._world, owner, events.WARNING, "FailedCreate", message)
            return error.message
        events.record(self._world, owner, events.NORMAL, "SuccessfulCreate", f"Created pod: {name}")
        return ""

    def _claim(self, owner: Object, ordinal: int) -> None:
        for template in owner["spec"].get("volumeClaimTemplates") or []:
            name = f"{name_of(template)}-{name_of(owner)}-{ordinal}"
            if self._store.get(kinds.CLAIM, namespace_of(owner), name) is not None:
                continue
            metadata = {"name": name, "labels": owner["spec"]["selector"].get("matchLabels") or {}}
            body = {"kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]}
            actor = acting_as("statefulset-controller")
            try:
                self._registry.create(kinds.CLAIM, namespace_of(owner), body, actor)
            except ApiError as error:
                events.record(self._world, owner, events.WARNING, "FailedCreate", error.message)

    def _remove(self, pod: Object) -> None:
        deletion.delete(self._registry, kinds.POD, pod, Options(), self._world.clock())


def _volumes(owner: Object, pod_name: str) -> list[Object]:
    volumes = list(owner["spec"]["template"]["spec"].get("volumes") or [])
    for template in owner["spec"].get("volumeClaimTemplates") or []:
        claim = f"{name_of(template)}-{pod_name}"
        volumes.append({"name": name_of(template), "persistentVolumeClaim": {"claimName": claim}})
    return volumes


def _status(owner: Object, active: list[Object], refusal: str) -> Object:
    ready = sum(pods.is_ready(pod) for pod in active)
    status: Object = {
        "observedGeneration": owner["metadata"]["generation"],
        "replicas": len(active),
    }
    if ready:
        status |= {"readyReplicas": ready, "availableReplicas": ready}
    if refusal:
        status["conditions"] = [
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": refusal,
            }
        ]
    return status
