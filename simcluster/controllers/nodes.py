"""Nodes report ready, lose power and come back.

A node's Ready condition is its power switch: it is stored with the node, so it survives a
restart of the server.  Pods on a node without power are no longer ready, and do not end when
they are deleted until the power returns or the deletion is forced (grace period 0).
"""

from collections.abc import Iterable
from typing import Final

from simcluster.controllers import Key, World
from simcluster.objects import Object, kinds, name_of, pods
from simcluster.registry import Registry
from simcluster.store import Change

UNREACHABLE: Final = {"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}
NODE_INFO: Final = {
    "architecture": "amd64",
    "bootID": "",
    "containerRuntimeVersion": "simulated://1",
    "kernelVersion": "simulated",
    "kubeProxyVersion": "",
    "kubeletVersion": "v1.36.0",
    "machineID": "",
    "operatingSystem": "linux",
    "osImage": "simulated",
    "systemUUID": "",
}


class Nodes:
    """Completes the status of new nodes, and tells pods about lost power."""

    def __init__(self, world: World) -> None:
        self._registry = world.registry
        self._timing = world.timing

    def concerns(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.NODE and change.new is not None:
            yield (name_of(change.new),)

    def delay(self) -> float:
        return self._timing.reaction

    def sync(self, key: Key) -> float | None:
        node = self._registry.store.get(kinds.NODE, "", key[0])
        if node is None:
            return None
        if _ready(node) is None:
            switch(self._registry, node, is_on=True)
        elif not is_powered(node):
            for pod in self._registry.store.every(kinds.POD):
                if pod["spec"].get("nodeName") == key[0] and pods.is_ready(pod):
                    self._lose(pod)
        return None

    def _lose(self, pod: Object) -> None:
        conditions = [
            {**condition, "status": "False", "lastTransitionTime": self._registry.now()}
            if condition["type"] in {"Ready", "ContainersReady"}
            else condition
            for condition in pod["status"]["conditions"]
        ]
        status = {**pod["status"], "conditions": conditions}
        self._registry.write_status(kinds.POD, pod, status)


def is_powered(node: Object) -> bool:
    """Return whether the node answers."""
    ready = _ready(node)
    return ready is not None and ready["status"] == "True"


def switch(registry: Registry, node: Object, *, is_on: bool) -> None:
    """Give a node power, or take it away."""
    now = registry.now()
    condition = {
        "type": "Ready",
        "status": "True" if is_on else "Unknown",
        "reason": "KubeletReady" if is_on else "NodeStatusUnknown",
        "message": "kubelet is posting ready status"
        if is_on
        else "Kubelet stopped posting node status.",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    status = node.get("status") or {}
    others = [c for c in status.get("conditions") or [] if c["type"] != "Ready"]
    addresses = [
        {"type": "InternalIP", "address": "192.0.2.1"},
        {"type": "Hostname", "address": name_of(node)},
    ]
    status = {
        "addresses": addresses,
        "nodeInfo": NODE_INFO,
        **status,
        "conditions": [*others, condition],
    }
    spec = dict(node.get("spec") or {})
    taints = [taint for taint in spec.pop("taints", []) if taint["key"] != UNREACHABLE["key"]]
    if not is_on:
        taints.append(UNREACHABLE)
    if taints:
        spec["taints"] = taints
    registry.store.put(kinds.NODE, {**node, "spec": spec, "status": status})


def _ready(node: Object) -> Object | None:
    conditions: list[Object] = (node.get("status") or {}).get("conditions") or []
    return next((condition for condition in conditions if condition["type"] == "Ready"), None)
