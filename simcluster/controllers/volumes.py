"""PersistentVolumeClaims: bound when somebody uses them, released when they are deleted."""

from collections.abc import Iterable

from simcluster.admission import IN_USE
from simcluster.bodies import is_held
from simcluster.controllers import Key, World, acting_as
from simcluster.objects import (
    Object,
    is_terminating,
    kinds,
    name_of,
    namespace_of,
    pods,
    uid_of,
)
from simcluster.store import Change


class Volumes:
    """Makes a volume for each claim, at the moment its storage class says."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._registry = world.registry
        self._store = world.registry.store

    def concerns(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.CLAIM:
            yield namespace_of(change.last), name_of(change.last)
            if change.new is None and change.last["spec"].get("volumeName"):
                yield ("", change.last["spec"]["volumeName"])
        elif change.kind is kinds.VOLUME and _is_released(change.last):
            yield ("", name_of(change.last))
        elif change.kind is kinds.POD:
            for name in pods.claim_names(change.last):
                yield namespace_of(change.last), name

    def delay(self) -> float:
        return self._world.timing.reaction

    def sync(self, key: Key) -> float | None:
        namespace, name = key
        if not namespace:
            self._release(name)
            return None
        claim = self._store.get(kinds.CLAIM, namespace, name)
        if claim is None:
            return None
        if is_terminating(claim):
            self._let_go(claim)
        elif claim["status"].get("phase") != "Bound":
            self._bind(claim)
        else:
            self._grow(claim)
        return None

    def _users(self, claim: Object) -> list[Object]:
        return [
            pod
            for pod in self._store.every(kinds.POD, namespace_of(claim))
            if name_of(claim) in pods.claim_names(pod) and not pods.is_finished(pod)
        ]

    def _bind(self, claim: Object) -> None:
        class_name = claim["spec"].get("storageClassName") or ""
        storage_class = self._store.get(kinds.STORAGE_CLASS, "", class_name)
        if storage_class is None:
            return
        nodes = {
            user["spec"]["nodeName"] for user in self._users(claim) if user["spec"].get("nodeName")
        }
        if storage_class["volumeBindingMode"] == "WaitForFirstConsumer" and not nodes:
            return
        volume = _volume(claim, storage_class)
        self._registry.create(kinds.VOLUME, "", volume, acting_as("external-provisioner"))
        spec = {**claim["spec"], "volumeName": volume["metadata"]["name"]}
        self._store.put(kinds.CLAIM, {**claim, "spec": spec, "status": _bound_status(claim)})
        stored = self._registry.get(kinds.VOLUME, "", volume["metadata"]["name"])
        self._registry.write_status(kinds.VOLUME, stored, {"phase": "Bound"})

    def _grow(self, claim: Object) -> None:
        self._registry.write_status(kinds.CLAIM, claim, _bound_status(claim))

    def _let_go(self, claim: Object) -> None:
        finalizers = claim["metadata"].get("finalizers") or []
        if IN_USE not in finalizers or self._users(claim):
            return
        metadata = {**claim["metadata"], "finalizers": [f for f in finalizers if f != IN_USE]}
        free = {**claim, "metadata": metadata}
        if is_held(kinds.CLAIM, free):
            self._store.put(kinds.CLAIM, free)
        else:
            self._store.remove(kinds.CLAIM, claim)

    def _release(self, name: str) -> None:
        volume = self._store.get(kinds.VOLUME, "", name)
        if volume is None:
            return
        reference = volume["spec"].get("claimRef") or {}
        if self._store.has(reference.get("uid", "")):
            return
        if volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
            self._store.remove(kinds.VOLUME, volume)
        elif not _is_released(volume):
            self._registry.write_status(kinds.VOLUME, volume, {"phase": "Released"})


def _is_released(volume: Object) -> bool:
    return bool(volume.get("status", {}).get("phase") == "Released")


def _bound_status(claim: Object) -> Object:
    return {
        "phase": "Bound",
        "accessModes": claim["spec"].get("accessModes") or [],
        "capacity": dict((claim["spec"].get("resources") or {}).get("requests") or {}),
    }


def _volume(claim: Object, storage_class: Object) -> Object:
    return {
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{uid_of(claim)}"},
        "spec": {
            "accessModes": claim["spec"].get("accessModes") or [],
            "capacity": dict((claim["spec"].get("resources") or {}).get("requests") or {}),
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": name_of(claim),
                "namespace": namespace_of(claim),
                "uid": uid_of(claim),
            },
            "csi": {"driver": storage_class["provisioner"], "volumeHandle": uid_of(claim)},
            "persistentVolumeReclaimPolicy": storage_class["reclaimPolicy"],
            "storageClassName": name_of(storage_class),
            "volumeMode": claim["spec"]["volumeMode"],
        },
    }
