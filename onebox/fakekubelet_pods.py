"""What a kubelet would say about a pod: its status at each point of its life."""

import ipaddress
import itertools
import time
from typing import Final

from onebox.kubeapi import Json
from onebox.kubewatch import Client

NODE_ADDRESS: Final = "192.0.2.10"  # reserved for documentation: nothing answers there
POD_NETWORK: Final = ipaddress.ip_network("10.244.0.0/16")
UNKNOWN_IMAGE: Final = "does-not-exist"
KILLED: Final = 137

OVER: Final = frozenset({"Succeeded", "Failed"})


class Addresses:
    """Pod addresses, one for each pod for as long as we live."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._free = itertools.cycle(POD_NETWORK.hosts())

    def of(self, pod: Json) -> str:
        """Return the pod's address: the host's if it is on the host's network."""
        if pod["spec"].get("hostNetwork"):
            return NODE_ADDRESS
        return self._given.setdefault(pod["metadata"]["uid"], str(next(self._free)))


def clock() -> float:
    """Return seconds since the epoch: a machine has a clock of its own, and this plays one."""
    return time.time()


def timestamp() -> str:
    """Return the time as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock()))


def path(pod: Json) -> str:
    """Return where the API keeps a pod."""
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


async def list_on_node(client: Client, node: str) -> list[Json]:
    """Return the pods bound to a node, in the only way a node may ask."""
    selector = {"fieldSelector": f"spec.nodeName={node}"}
    listing = await client.call("GET", "/api/v1/pods", params=selector)
    return list(listing["items"])


def is_over(pod: Json) -> bool:
    """Whether all of the pod's containers have ended for good."""
    return pod.get("status", {}).get("phase") in OVER


def is_started(pod: Json) -> bool:
    """Whether the kubelet has seen the pod: also true for one that waits for its image."""
    return "startTime" in pod.get("status", {})


def is_running_for_a_job(pod: Json) -> bool:
    """Whether a job waits for this pod to succeed."""
    owners = pod["metadata"].get("ownerReferences", ())
    return pod["status"].get("phase") == "Running" and any(o["kind"] == "Job" for o in owners)


def started(pod: Json, address: str) -> Json:
    """Return the status of a pod whose containers run, or wait for an image that is not there."""
    unknown = _unknown_images(pod)
    first_containers = [_completed(container) for container in _run_to_completion(pod)]
    return {
        "phase": "Pending" if unknown else "Running",
        "startTime": timestamp(),
        "hostIP": NODE_ADDRESS,
        "hostIPs": [{"ip": NODE_ADDRESS}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": _conditions(pod, ready=not unknown),
        "initContainerStatuses": first_containers + [_running(c) for c in _sidecars(pod)],
        "containerStatuses": [_running(container) for container in pod["spec"]["containers"]],
    }


def ended(pod: Json, *, phase: str, exit_code: int) -> Json:
    """Return the status of a pod whose containers have all ended."""
    reason = "Completed" if exit_code == 0 else "Error"
    return {
        "phase": phase,
        "conditions": _conditions(pod, ready=False),
        "containerStatuses": [
            {
                **status,
                "ready": False,
                "started": False,
                "state": _terminated(status, exit_code, reason),
            }
            for status in pod["status"].get("containerStatuses", ())
        ],
    }


def after_reboot(pod: Json) -> Json:
    """Return the status of a pod that ran when its node lost power, now that the node is back.

    The kubelet is up before the device plugin: a pod that asked for a device is refused for good.
    One that may restart does, and one that must not has failed.
    """
    if _asks_for_devices(pod):
        refused = ended(pod, phase="Failed", exit_code=KILLED)
        message = "Allocate failed due to no healthy devices present"
        return {**refused, "reason": "UnexpectedAdmissionError", "message": message}
    if pod["spec"].get("restartPolicy") == "Never":
        return ended(pod, phase="Failed", exit_code=KILLED)
    return {
        "containerStatuses": [
            {**status, "restartCount": status["restartCount"] + 1}
            for status in pod["status"].get("containerStatuses", ())
        ]
    }


def _asks_for_devices(pod: Json) -> bool:
    return any(
        "/" in resource
        for container in pod["spec"]["containers"]
        for resource in container.get("resources", {}).get("limits", {})
    )


def _unknown_images(pod: Json) -> bool:
    return any(UNKNOWN_IMAGE in container["image"] for container in pod["spec"]["containers"])


def _sidecars(pod: Json) -> list[Json]:
    containers = pod["spec"].get("initContainers", ())
    return [c for c in containers if c.get("restartPolicy") == "Always"]


def _run_to_completion(pod: Json) -> list[Json]:
    containers = pod["spec"].get("initContainers", ())
    return [c for c in containers if c.get("restartPolicy") != "Always"]


def _conditions(pod: Json, *, ready: bool) -> list[Json]:
    now = timestamp()
    truths = {
        "PodReadyToStartContainers": True,
        "Initialized": True,
        "ContainersReady": ready,
        "Ready": ready,
    }
    # A merge patch replaces a list, so what others wrote (PodScheduled) goes along.
    others = [c for c in pod["status"].get("conditions", ()) if c["type"] not in truths]
    ours = [
        {"type": kind, "status": str(truth), "lastTransitionTime": now}
        for kind, truth in truths.items()
    ]
    return others + ours


def _identity(container: Json) -> Json:
    unknown = UNKNOWN_IMAGE in container["image"]
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "" if unknown else f"fake://{container['image']}",
        "restartCount": 0,
    }


def _running(container: Json) -> Json:
    if UNKNOWN_IMAGE in container["image"]:
        message = f'Back-off pulling image "{container["image"]}": not found'
        waiting = {"reason": "ImagePullBackOff", "message": message}
        return {
            **_identity(container),
            "ready": False,
            "started": False,
            "state": {"waiting": waiting},
        }
    return {
        **_identity(container),
        "containerID": f"fake://{container['name']}",
        "ready": True,
        "started": True,
        "state": {"running": {"startedAt": timestamp()}},
    }


def _completed(container: Json) -> Json:
    status = _running(container)
    return {**status, "started": False, "state": _terminated(status, 0, "Completed")}


def _terminated(status: Json, exit_code: int, reason: str) -> Json:
    started_at = status.get("state", {}).get("running", {}).get("startedAt")
    ended_state = {"exitCode": exit_code, "reason": reason, "finishedAt": timestamp()}
    if started_at is not None:
        ended_state["startedAt"] = started_at
    return {"terminated": ended_state}
