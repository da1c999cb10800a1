"""Deployments: one replica set for each version of the template, the newest of them in charge."""

import hashlib
import json
from collections.abc import Iterable
from typing import Final

from simcluster.controllers import Key, World, acting_as
from simcluster.errors import ApiError
from simcluster.objects import (
    Object,
    is_owned_by,
    is_terminating,
    kinds,
    name_of,
    namespace_of,
    owner_reference,
)
from simcluster.store import Change

HASH_LABEL: Final = "pod-template-hash"


class Deployments:
    """Rolls every deployment out and reports how far it is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._registry = world.registry
        self._store = world.registry.store

    def concerns(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.DEPLOYMENT and change.new is not None:
            yield namespace_of(change.new), name_of(change.new)
        elif change.kind in {kinds.REPLICA_SET, kinds.POD}:
            # Pods too: with the strategy Recreate the old ones have to be gone.
            for deployment in self._store.every(kinds.DEPLOYMENT, namespace_of(change.last)):
                yield namespace_of(deployment), name_of(deployment)

    def delay(self) -> float:
        return self._world.timing.reaction

    def sync(self, key: Key) -> float | None:
        deployment = self._store.get(kinds.DEPLOYMENT, *key)
        if deployment is None or is_terminating(deployment):
            return None
        owned = [
            replica_set
            for replica_set in self._store.every(kinds.REPLICA_SET, key[0])
            if is_owned_by(replica_set, deployment)
        ]
        digest = _digest(deployment)
        current = next(
            (r for r in owned if r["spec"]["selector"]["matchLabels"].get(HASH_LABEL) == digest),
            None,
        )
        outdated = [replica_set for replica_set in owned if replica_set is not current]
        if self._may_start(deployment, outdated):
            current = self._ensure(deployment, current, digest)
        if current is not None and _available(current) >= deployment["spec"]["replicas"]:
            self._retire(outdated)
        self._registry.write_status(
            kinds.DEPLOYMENT,
            deployment,
            self._status(deployment, current, [r for r in owned if r is not current]),
        )
        return None

    def _may_start(self, deployment: Object, outdated: list[Object]) -> bool:
        """Return whether the new version may have pods: with Recreate, after the old ones."""
        if deployment["spec"]["strategy"]["type"] != "Recreate":
            return True
        self._retire(outdated)
        return not any(
            is_owned_by(pod, replica_set)
            for pod in self._store.every(kinds.POD, namespace_of(deployment))
            for replica_set in outdated
        )

    def _retire(self, outdated: list[Object]) -> None:
        for replica_set in outdated:
            if replica_set["spec"]["replicas"]:
                spec = {**replica_set["spec"], "replicas": 0}
                self._store.put(kinds.REPLICA_SET, {**replica_set, "spec": spec})

    def _ensure(self, deployment: Object, current: Object | None, digest: str) -> Object | None:
        replicas = deployment["spec"]["replicas"]
        if current is None:
            body = _replica_set(deployment, digest)
            try:
                return self._registry.create(
                    kinds.REPLICA_SET,
                    namespace_of(deployment),
                    body,
                    acting_as("deployment-controller"),
                )
            except ApiError:
                return None
        if current["spec"]["replicas"] == replicas:
            return current
        spec = {**current["spec"], "replicas": replicas}
        return self._store.put(kinds.REPLICA_SET, {**current, "spec": spec})

    def _status(self, deployment: Object, current: Object | None, outdated: list[Object]) -> Object:
        wanted = deployment["spec"]["replicas"]
        every = [*outdated, *([current] if current else [])]
        available = sum(_available(replica_set) for replica_set in every)
        counts = {
            "replicas": sum(_count(replica_set, "replicas") for replica_set in every),
            "updatedReplicas": _count(current, "replicas") if current else 0,
            "readyReplicas": sum(_count(replica_set, "readyReplicas") for replica_set in every),
            "availableReplicas": available,
            "unavailableReplicas": max(wanted - available, 0),
        }
        status: Object = {"observedGeneration": deployment["metadata"]["generation"]}
        status |= {name: count for name, count in counts.items() if count}
        has_all = available >= wanted
        conditions = [
            _condition(
                "Available",
                "MinimumReplicasAvailable" if has_all else "MinimumReplicasUnavailable",
                is_true=has_all,
            ),
            _condition(
                "Progressing",
                "NewReplicaSetAvailable" if has_all else "ReplicaSetUpdated",
                is_true=True,
            ),
        ]
        failures = ((current or {}).get("status") or {}).get("conditions") or []
        return status | {
            "conditions": [self._timed(c, deployment) for c in [*conditions, *failures]]
        }

    def _timed(self, condition: Object, deployment: Object) -> Object:
        before: list[Object] = (deployment.get("status") or {}).get("conditions") or []
        for known in before:
            if condition.items() <= known.items():
                return known
        now = self._registry.now()
        return {**condition, "lastUpdateTime": now, "lastTransitionTime": now}


def _digest(deployment: Object) -> str:
    template = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(template.encode()).hexdigest()[:10]


def _replica_set(deployment: Object, digest: str) -> Object:
    template = deployment["spec"]["template"]
    labels = {**template["metadata"]["labels"], HASH_LABEL: digest}
    selector = deployment["spec"]["selector"]
    wanted = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{digest}",
            "labels": labels,
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {
            "replicas": deployment["spec"]["replicas"],
            "selector": {**selector, "matchLabels": wanted},
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }


def _count(replica_set: Object, name: str) -> int:
    return int((replica_set.get("status") or {}).get(name, 0))


def _available(replica_set: Object) -> int:
    return _count(replica_set, "availableReplicas")


def _condition(kind: str, reason: str, *, is_true: bool) -> Object:
    return {"type": kind, "status": "True" if is_true else "False", "reason": reason}
