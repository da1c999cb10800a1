"""`reconciler.plain_words`: what clusters say, for people."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.plain_words import HOPELESS_AFTER, Finding, told_of, why_not_available


def pod(*waiting: dict[str, Any], **status: Any) -> dict[str, Any]:
    containers = [
        {"name": "workspace", "image": "lab/ide:1", "state": {"waiting": each}} for each in waiting
    ]
    return {
        "metadata": {"name": "workspace-1"},
        "status": {"containerStatuses": containers, **status},
    }


def deployment(**status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "status": status}


def refused(message: str) -> dict[str, Any]:
    return deployment(conditions=[{"type": "ReplicaFailure", "status": "True", "message": message}])


UNSCHEDULED = {
    "type": "PodScheduled",
    "status": "False",
    "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
}
GONE = {"reason": "ErrImagePull", "message": "manifest unknown"}
BUSY = {"reason": "ImagePullBackOff", "message": "registry: 503"}
INIT = {"initContainerStatuses": [{"image": "lab/init:1", "state": {"waiting": GONE}}]}


@pytest.mark.parametrize(
    ("of", "pods", "expected"),
    [
        (deployment(), [], Finding("the workspace is starting")),
        (
            deployment(),
            [pod({"reason": "ContainerCreating"})],
            Finding("the workspace is starting"),
        ),
        (
            deployment(),
            [pod(GONE)],
            Finding("the image lab/ide:1 can't be pulled: manifest unknown", HOPELESS_AFTER),
        ),
        (deployment(), [pod(BUSY)], Finding("the image lab/ide:1 can't be pulled: registry: 503")),
        (
            deployment(),
            [pod(**INIT)],
            Finding("the image lab/init:1 can't be pulled: manifest unknown", HOPELESS_AFTER),
        ),
        (
            deployment(),
            [pod({"reason": "InvalidImageName"})],
            Finding("the image lab/ide:1 can't be had", timedelta(0)),
        ),
        (
            deployment(),
            [pod({"reason": "CrashLoopBackOff", "message": "back-off 5m0s"})],
            Finding("the workspace ends as soon as it starts: back-off 5m0s"),
        ),
        (
            deployment(),
            [pod({"reason": "CreateContainerConfigError", "message": "no key"})],
            Finding("the workspace cannot start (CreateContainerConfigError): no key"),
        ),
        (
            deployment(),
            [pod(conditions=[UNSCHEDULED])],
            Finding(
                "no node has room for the workspace: "
                "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
            ),
        ),
        (
            refused("exceeded quota: gpuaas"),
            [],
            Finding(
                "what else runs in the session leaves the workspace no quota: "
                "exceeded quota: gpuaas"
            ),
        ),
        (
            refused("violates PodSecurity"),
            [],
            Finding("the cluster refuses the workspace's pod: violates PodSecurity"),
        ),
    ],
)
def test_what_a_session_waits_for_is_said_in_words(
    of: dict[str, Any], pods: list[dict[str, Any]], expected: Finding
) -> None:
    assert why_not_available(of, pods) == expected


def test_a_long_message_is_cut_and_put_on_one_line() -> None:
    finding = why_not_available(refused("no\n  " * 300), [])

    assert "\n" not in finding.reason
    assert len(finding.reason) < 260
    assert finding.reason.endswith("…")


def event(reason: str, message: str = "", *, at: str = "", kind: str = "Warning") -> dict[str, Any]:
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "involvedObject": {"kind": "Pod", "name": "vllm-0"},
    }


def test_warnings_are_told_oldest_first_each_once() -> None:
    events = [
        event("OOMKilling", at="2026-03-01T12:00:09Z"),
        event("FailedScheduling", "0/1 nodes", at="2026-03-01T12:00:01Z"),
        event("FailedScheduling", "0/1 nodes", at="2026-03-01T12:00:03Z"),
        event("Started", kind="Normal"),
        event("Strange", "what nobody knew", at="2026-03-01T12:00:02Z"),
        event("Silent"),
    ]

    assert told_of(events, at_most=9) == [
        "vllm-0: Silent",
        "vllm-0: what nobody knew",
        "no node has room for vllm-0: 0/1 nodes",
        "vllm-0 used more memory than it may",
    ]
    assert told_of(events, at_most=1) == ["vllm-0 used more memory than it may"]


def test_braces_in_a_message_are_words() -> None:
    assert told_of([event("Failed", "{name} {0}")], at_most=1) == [
        "vllm-0 could not go on: {name} {0}"
    ]
