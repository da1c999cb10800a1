"""The nodes' side: pods become Running and Ready, and end when they are deleted.

Nothing is really run.  Every image exists and every container is healthy, unless a pod carries
the annotation below, which names the reason a container waits for, such as ImagePullBackOff.
"""

import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from simcluster import deletion
from simcluster.controllers import Key, World
from simcluster.controllers.nodes import is_powered
from simcluster.deletion import Options
from simcluster.objects import Object, is_terminating, kinds, name_of, namespace_of, pods, uid_of
from simcluster.store import Change

STUCK_ANNOTATION: Final = "simcluster/waiting-reason"
IDENTITY_SPACE: Final = 250 * 250


class Kubelet:
    """Every node's kubelet."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._registry = world.registry
        self._store = world.registry.store
        self._began_at: dict[tuple[str, str], datetime] = {}

    def concerns(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.POD and change.new is None:
            for stage in ("start", "stop"):
                self._began_at.pop((uid_of(change.last), stage), None)
        if change.kind is kinds.POD and change.new is not None:
            yield _key(change.new)
        elif change.kind in {kinds.NODE, kinds.CLAIM} and change.new is not None:
            # Power came back, or a volume: whatever waits for it is looked at again.
            yield from map(_key, self._store.every(kinds.POD, namespace_of(change.new)))

    def delay(self) -> float:
        return self._world.timing.reaction

    def sync(self, key: Key) -> float | None:
        pod = self._store.get(kinds.POD, *key)
        if pod is None or not pod["spec"].get("nodeName") or pods.is_finished(pod):
            return None
        node = self._store.get(kinds.NODE, "", pod["spec"]["nodeName"])
        if node is None or not is_powered(node):
            return None
        if is_terminating(pod):
            return self._stop(pod)
        return None if pods.is_ready(pod) else self._start(pod)

    def _start(self, pod: Object) -> float | None:
        now = self._registry.now()
        if "containerStatuses" not in pod["status"]:
            self._registry.write_status(kinds.POD, pod, _creating(pod, now))
        if (left := self._left(pod, "start", self._world.timing.pod_start)) > 0:
            return left
        claims = [
            self._store.get(kinds.CLAIM, namespace_of(pod), name) for name in pods.claim_names(pod)
        ]
        if any(claim is None or claim["status"].get("phase") != "Bound" for claim in claims):
            return self._world.timing.retry
        if not (pod["metadata"].get("annotations") or {}).get(STUCK_ANNOTATION):
            self._registry.write_status(kinds.POD, pod, _running(pod, now))
        return None

    def _stop(self, pod: Object) -> float | None:
        grace = float(pod["metadata"].get("deletionGracePeriodSeconds", 0))
        if (left := self._left(pod, "stop", min(grace, self._world.timing.pod_stop))) > 0:
            return left
        now = self._world.clock()
        deletion.delete(self._registry, kinds.POD, pod, Options(grace_seconds=0), now)
        return None

    def _left(self, pod: Object, stage: str, seconds: float) -> float:
        """Return how much of ``seconds`` is left since this was first asked about a pod."""
        now = self._world.clock()
        began_at = self._began_at.setdefault((uid_of(pod), stage), now)
        return seconds - (now - began_at).total_seconds()


def _key(pod: Object) -> Key:
    return namespace_of(pod), name_of(pod)


def _creating(pod: Object, now: str) -> Object:
    reason = (pod["metadata"].get("annotations") or {}).get(STUCK_ANNOTATION, "ContainerCreating")
    statuses = [
        _container_status(pod, container, {"waiting": {"reason": reason}}, is_ready=False)
        for container in pod["spec"]["containers"]
    ]
    conditions = pod["status"].get("conditions") or []
    for kind in ("Ready", "ContainersReady"):
        conditions = _with_condition(conditions, kind, "False", now, "ContainersNotReady")
    status = {"startTime": now, **pod["status"], "phase": "Pending", "conditions": conditions}
    return {**status, "hostIP": "192.0.2.1", "containerStatuses": statuses}


def _running(pod: Object, now: str) -> Object:
    statuses = [
        _container_status(pod, container, {"running": {"startedAt": now}}, is_ready=True)
        for container in pod["spec"]["containers"]
    ]
    conditions = pod["status"].get("conditions") or []
    for kind in ("Initialized", "Ready", "ContainersReady"):
        conditions = _with_condition(conditions, kind, "True", now)
    high, low = divmod(zlib.crc32(uid_of(pod).encode()) % IDENTITY_SPACE, 250)
    address = f"10.128.{high}.{low + 1}"
    return {
        **pod["status"],
        "phase": "Running",
        "conditions": conditions,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "containerStatuses": statuses,
    }


def _container_status(pod: Object, container: Object, state: Object, *, is_ready: bool) -> Object:
    identity = f"{uid_of(pod)}-{container['name']}"
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "containerID": f"simulated://{identity}" if is_ready else "",
        "ready": is_ready,
        "started": is_ready,
        "restartCount": 0,
        "lastState": {},
        "state": state,
    }


def _with_condition(
    conditions: list[Object], kind: str, status: str, now: str, reason: str = ""
) -> list[Object]:
    condition = {
        "type": kind,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": now,
    }
    if reason:
        condition["reason"] = reason
    return [known for known in conditions if known["type"] != kind] + [condition]
