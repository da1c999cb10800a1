"""What a namespace's pod-security label lets in and keeps out."""

from typing import Any

import pytest

from reconciler.cluster import Cluster, ClusterRefused
from reconciler.manifests import workspace
from tests import make
from tests.cluster import objects

LABEL = "pod-security.kubernetes.io/enforce"


def enforce(cluster: Cluster, namespace: str, level: str) -> None:
    metadata = {"name": namespace, "labels": {LABEL: level}}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def with_spec(namespace: str, **spec: Any) -> dict[str, Any]:
    pod = objects.pod(namespace)
    pod["spec"].update(spec)
    return pod


def with_context(namespace: str, **context: Any) -> dict[str, Any]:
    pod = objects.pod(namespace)
    pod["spec"]["containers"][0]["securityContext"] = context
    return pod


def workspace_pod(namespace: str) -> dict[str, Any]:
    """Return the workspace's own pod, without the node and volumes that are not there."""
    template = workspace.deployment(make.spec())["spec"]["template"]["spec"]
    template.pop("affinity")
    template["volumes"] = template["containers"][0]["volumeMounts"] = []
    template["serviceAccountName"] = "default"
    return objects.manifest("v1", "Pod", namespace, "workspace", spec=template)


def test_baseline_admits_a_pod_that_states_nothing(cluster: Cluster, namespace: str) -> None:
    enforce(cluster, namespace, "baseline")

    cluster.apply(objects.pod(namespace))


HOST_PATH = {"name": "disk", "hostPath": {"path": "/"}}
PORT = {"containerPort": 80, "hostPort": 80}


@pytest.mark.parametrize(
    "spec",
    [
        {"hostNetwork": True},
        {"hostPID": True},
        {"volumes": [HOST_PATH]},
        {"containers": [{**objects.container(), "ports": [PORT]}]},
    ],
    ids=["host network", "host processes", "host path", "host port"],
)
def test_baseline_keeps_out_what_reaches_for_the_host(
    cluster: Cluster, namespace: str, spec: dict[str, Any]
) -> None:
    enforce(cluster, namespace, "baseline")

    with pytest.raises(ClusterRefused, match='violates PodSecurity "baseline:latest"'):
        cluster.apply(with_spec(namespace, **spec))


@pytest.mark.parametrize(
    "context",
    [{"privileged": True}, {"capabilities": {"add": ["SYS_ADMIN"]}}],
    ids=["privileged", "capability"],
)
def test_baseline_keeps_out_power_over_the_kernel(
    cluster: Cluster, namespace: str, context: dict[str, Any]
) -> None:
    enforce(cluster, namespace, "baseline")

    with pytest.raises(ClusterRefused, match='violates PodSecurity "baseline:latest"'):
        cluster.apply(with_context(namespace, **context))


def test_restricted_keeps_out_a_pod_that_states_nothing(cluster: Cluster, namespace: str) -> None:
    enforce(cluster, namespace, "restricted")

    with pytest.raises(ClusterRefused, match='violates PodSecurity "restricted:latest"'):
        cluster.apply(objects.pod(namespace))


def test_the_workspace_meets_the_restricted_profile(cluster: Cluster, namespace: str) -> None:
    enforce(cluster, namespace, "restricted")

    cluster.apply(workspace_pod(namespace))
