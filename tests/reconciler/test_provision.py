"""`reconciler.provision`: the words people read while they wait."""

from typing import Any

import pytest

from reconciler.provision import is_available, why_not_available


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "workspace-1"}, "status": status}


def deployment(**status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "status": status}


STARTING = {"name": "workspace", "state": {"waiting": {"reason": "ContainerCreating"}}}
NO_IMAGE = {
    "name": "workspace",
    "state": {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}},
}
UNSCHEDULED = {
    "type": "PodScheduled",
    "status": "False",
    "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
}
REFUSED = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: gpuaas"}


@pytest.mark.parametrize(
    ("of", "pods", "expected"),
    [
        (deployment(), [], "the workspace is starting"),
        (deployment(), [pod(containerStatuses=[STARTING])], "the workspace is starting"),
        (
            deployment(),
            [pod(containerStatuses=[NO_IMAGE])],
            "the workspace cannot start: ErrImagePull manifest unknown",
        ),
        (
            deployment(),
            [pod(conditions=[UNSCHEDULED])],
            "no room for the workspace's pod: "
            "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
        ),
        (
            deployment(conditions=[REFUSED]),
            [],
            "the workspace's pod was refused: exceeded quota: gpuaas",
        ),
    ],
)
def test_what_a_session_waits_for_is_said_in_words(
    of: dict[str, Any], pods: list[dict[str, Any]], expected: str
) -> None:
    assert why_not_available(of, pods) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, False),
        ({"observedGeneration": 2, "availableReplicas": 1}, True),
        ({"observedGeneration": 1, "availableReplicas": 1}, False),
        ({"observedGeneration": 2}, False),
    ],
)
def test_available_means_the_current_generation_has_a_ready_pod(
    status: dict[str, Any],
    expected: bool,
) -> None:
    assert is_available(deployment(**status)) is expected
