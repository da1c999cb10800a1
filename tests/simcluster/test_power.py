"""A node that loses power, and containers that do not start."""

from collections.abc import Callable
from typing import Any

import pytest

from simcluster.controllers.kubelet import STUCK_ANNOTATION
from simcluster.testing import Simulator
from tests.cluster import objects
from tests.cluster.waiting import eventually
from tests.simcluster.conftest import Api

NODE = "gpu-node-1"


@pytest.fixture
def pod(api: Api, namespace: str) -> Callable[[], Any]:
    """Start a pod and return what looks at it."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    api("POST", path, objects.pod(namespace))

    def look() -> Any:
        return api("GET", f"{path}/work")

    eventually(lambda: is_ready(look().body))
    return look


def is_ready(obj: dict[str, Any]) -> bool:
    conditions = obj.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def test_a_node_without_power_is_not_ready_and_its_pods_neither(
    simulator: Simulator, api: Api, pod: Callable[[], Any]
) -> None:
    api("POST", "/_sim/power", {"node": NODE, "on": False})

    eventually(lambda: not is_ready(pod().body))
    assert not is_ready(api("GET", f"/api/v1/nodes/{NODE}").body)

    simulator.power(NODE, is_on=True)
    eventually(lambda: is_ready(pod().body))


def test_a_pod_on_a_node_without_power_ends_only_when_it_is_forced(
    simulator: Simulator, api: Api, namespace: str, pod: Callable[[], Any]
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/work"
    simulator.power(NODE, is_on=False)
    api("DELETE", path)
    eventually(lambda: not is_ready(pod().body))
    assert "deletionTimestamp" in pod().body["metadata"]

    api("DELETE", path, {"gracePeriodSeconds": 0})

    assert pod().status == 404
    simulator.power(NODE, is_on=True)


def test_a_deleted_pod_ends_when_the_power_returns(
    simulator: Simulator, api: Api, namespace: str, pod: Callable[[], Any]
) -> None:
    simulator.power(NODE, is_on=False)
    api("DELETE", f"/api/v1/namespaces/{namespace}/pods/work")

    simulator.power(NODE, is_on=True)

    eventually(lambda: pod().status == 404)


def test_nothing_new_is_scheduled_without_power(
    simulator: Simulator, api: Api, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    simulator.power(NODE, is_on=False)
    api("POST", path, objects.pod(namespace))

    def scheduled() -> Any:
        conditions = api("GET", f"{path}/work").body["status"].get("conditions") or [{}]
        return conditions[0]

    eventually(lambda: scheduled().get("reason") == "Unschedulable")
    assert "node.kubernetes.io/unreachable" in scheduled()["message"]
    simulator.power(NODE, is_on=True)
    eventually(lambda: is_ready(api("GET", f"{path}/work").body))


def test_a_container_can_be_kept_waiting(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    stuck = objects.pod(namespace)
    stuck["metadata"]["annotations"] = {STUCK_ANNOTATION: "ImagePullBackOff"}
    api("POST", path, stuck)

    def waiting() -> str:
        statuses = api("GET", f"{path}/work").body["status"].get("containerStatuses") or []
        return "".join(status["state"]["waiting"]["reason"] for status in statuses)

    eventually(lambda: waiting() == "ImagePullBackOff")
    assert not is_ready(api("GET", f"{path}/work").body)
