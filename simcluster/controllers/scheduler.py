"""Binds pods to nodes, and says on the pod why it fits on none."""

from collections import defaultdict
from collections.abc import Iterable

from simcluster.controllers import Key, World, events
from simcluster.objects import Object, is_terminating, kinds, name_of, namespace_of, pods
from simcluster.rules import scheduling
from simcluster.rules.scheduling import Verdict
from simcluster.store import Change

ALL: Key = ("all",)


class Scheduler:
    """Looks at every pending pod whenever room may have changed, the oldest pod first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.registry.store

    def concerns(self, change: Change) -> Iterable[Key]:
        if change.kind in {kinds.POD, kinds.NODE, kinds.CLAIM}:
            yield ALL

    def delay(self) -> float:
        return self._world.timing.reaction

    def sync(self, key: Key) -> float | None:  # noqa: ARG002 -- there is only one
        every = self._store.every(kinds.POD)
        waiting = [p for p in every if not p["spec"].get("nodeName") and not is_terminating(p)]
        waiting.sort(key=lambda pod: int(pod["metadata"]["resourceVersion"]))
        occupants: dict[str, list[Object]] = defaultdict(list)
        for pod in every:
            if pod["spec"].get("nodeName") and not pods.is_finished(pod):
                occupants[pod["spec"]["nodeName"]].append(pod)
        nodes = self._store.every(kinds.NODE)
        for pod in waiting:
            blocked = self._blocked_by_volume(pod)
            verdict = scheduling.place(pod, nodes, occupants, blocked=blocked)
            if verdict.node:
                occupants[verdict.node].append(self._bind(pod, verdict.node))
            else:
                self._explain(pod, verdict)
        return None

    def _blocked_by_volume(self, pod: Object) -> str:
        for name in pods.claim_names(pod):
            if self._store.get(kinds.CLAIM, namespace_of(pod), name) is None:
                return f'persistentvolumeclaim "{name}" not found'
        return ""

    def _bind(self, pod: Object, node: str) -> Object:
        condition = {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": self._world.registry.now(),
        }
        status = {**pod["status"], "conditions": [condition]}
        bound = {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status}
        message = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
        events.record(self._world, pod, events.NORMAL, "Scheduled", message)
        return self._store.put(kinds.POD, bound)

    def _explain(self, pod: Object, verdict: Verdict) -> None:
        conditions = pod["status"].get("conditions") or []
        if any(condition.get("message") == verdict.message for condition in conditions):
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": verdict.message,
            "lastProbeTime": None,
            "lastTransitionTime": self._world.registry.now(),
        }
        status = {**pod["status"], "conditions": [condition]}
        self._world.registry.write_status(kinds.POD, pod, status)
        events.record(self._world, pod, events.WARNING, "FailedScheduling", verdict.message)
