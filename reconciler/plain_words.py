"""What a cluster says of pods that do not start, in words for the people who wait for them.  Pure.

The reasons are those of the kubelet, the scheduler and the controllers; see "Pod Lifecycle" in
Kubernetes' documentation, and `Failed`, `BackOff` and their kin in `kubectl describe pod`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from reconciler.cluster import Manifest

STARTING: Final = "the workspace is starting"
# Long enough for a registry's hiccup, much shorter than what a slow start may take.
HOPELESS_AFTER: Final = timedelta(minutes=3)
_QUOTED: Final = 160

_PULLING: Final = frozenset({"ErrImagePull", "ImagePullBackOff"})
_NO_SUCH_IMAGE: Final = frozenset({"InvalidImageName", "ErrImageNeverPull"})
# What registries answer when asking again is useless.
_FINAL_ANSWERS: Final = re.compile(
    r"not found|manifest unknown|unauthorized|denied|invalid reference", re.IGNORECASE
)
_CRASHING: Final = frozenset({"CrashLoopBackOff", "RunContainerError", "StartError"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Why something has not started, and how long waiting for it makes sense at most.

    ``hopeless_after`` is None where time may well help.
    """

    reason: str
    hopeless_after: timedelta | None = None


def lacks_configuration(pods: Iterable[Manifest]) -> bool:
    """Return whether a container waits for a Secret or ConfigMap that is not there."""
    return any(
        waiting.get("reason") == "CreateContainerConfigError"
        for pod in pods
        for _, waiting in _waiting(pod.get("status", {}))
    )


def why_not_available(deployment: Manifest, pods: Iterable[Manifest]) -> Finding:
    """Return what the workspace of ``deployment`` waits for."""
    for pod in pods:
        status = pod.get("status", {})
        for container, waiting in _waiting(status):
            found = _of_container(container, waiting)
            if found is not None:
                return found
        unscheduled = _condition(status, "PodScheduled", "False")
        if unscheduled is not None:
            return Finding(f"no node has room for the workspace: {_cut(unscheduled)}")
    refused = _condition(deployment.get("status", {}), "ReplicaFailure", "True")
    if refused is None:
        return Finding(STARTING)
    if "exceeded quota" in refused:
        return Finding(
            f"what else runs in the session leaves the workspace no quota: {_cut(refused)}"
        )
    return Finding(f"the cluster refuses the workspace's pod: {_cut(refused)}")


def _of_container(container: Mapping[str, Any], waiting: Mapping[str, Any]) -> Finding | None:
    reason = waiting.get("reason", "")
    message = _cut(str(waiting.get("message", "")))
    said = f": {message}" if message else ""
    image = container.get("image", "of the workspace")
    if reason in _PULLING:
        is_final = _FINAL_ANSWERS.search(message) is not None
        after = HOPELESS_AFTER if is_final else None
        return Finding(f"the image {image} can't be pulled{said}", after)
    if reason in _NO_SUCH_IMAGE:
        return Finding(f"the image {image} can't be had{said}", timedelta(0))
    if reason in _CRASHING:
        return Finding(f"the workspace ends as soon as it starts{said}")
    if reason in ("", "ContainerCreating", "PodInitializing"):
        return None
    return Finding(f"the workspace cannot start ({reason}){said}")


def _waiting(status: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield the containers that wait, with what is said of it."""
    for each in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = each.get("state", {}).get("waiting")
        if waiting:
            yield each, waiting


def _condition(status: Mapping[str, Any], kind: str, value: str) -> str | None:
    """Return the message of the condition if it has that value."""
    for condition in status.get("conditions", []):
        if condition["type"] == kind and condition["status"] == value:
            return str(condition.get("message", ""))
    return None


def _cut(message: str) -> str:
    """Return the message on one line, and no longer than people read."""
    line = " ".join(message.split())
    return line if len(line) <= _QUOTED else f"{line[: _QUOTED - 1]}…"


# --- Events of a namespace ------------------------------------------------------------------------

_EVENTS: Final[Mapping[str, str]] = {
    "BackOff": "{name} ended again and is started again after a pause",
    "Evicted": "{name} had to go: {message}",
    "ExceededGracePeriod": "{name} took too long to end and was killed",
    "Failed": "{name} could not go on: {message}",
    "FailedAttachVolume": "the volume of {name} cannot be attached: {message}",
    "FailedCreate": "{name} may not start a pod: {message}",
    "FailedMount": "the volume of {name} cannot be mounted: {message}",
    "FailedScheduling": "no node has room for {name}: {message}",
    "NodeNotReady": "the node of {name} does not answer",
    "OOMKilling": "{name} used more memory than it may",
    "Preempted": "{name} had to make room: {message}",
    "ProvisioningFailed": "the volume {name} cannot be made: {message}",
    "Unhealthy": "{name} does not answer its health check: {message}",
    "UnexpectedAdmissionError": "the node refused {name}: {message}",
}


def told_of(events: Iterable[Manifest], *, at_most: int) -> list[str]:
    """Return what warnings among ``events`` say, newest last, each thing once.

    An event that nobody translated is told with its own words.
    """
    told: dict[str, None] = {}
    for event in sorted(events, key=_seen_at):
        if event.get("type") != "Warning":
            continue
        name = event.get("involvedObject", {}).get("name", "something")
        message = _cut(str(event.get("message", "")))
        form = _EVENTS.get(event.get("reason", ""), "{name}: {message}")
        line = form.format(name=name, message=message or event.get("reason", "no reason given"))
        told.pop(line, None)
        told[line] = None
    return list(told)[-at_most:]


def _seen_at(event: Manifest) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
