"""What the product relies on to bring a workspace up: pods, volumes, scheduling."""

from typing import Any

from reconciler.cluster import Cluster, Manifest, Ref, ref_to
from tests.cluster import objects
from tests.cluster.waiting import eventually

NODE = "gpu-node-1"


def condition(cluster: Cluster, ref: Ref, kind: str) -> Manifest:
    """Return a condition of an object, empty while it has none of that type."""
    found = cluster.get(ref)
    assert found is not None
    conditions = found.get("status", {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == kind), {})


def phase(cluster: Cluster, ref: Ref) -> str:
    found = cluster.get(ref)
    return str((found or {}).get("status", {}).get("phase"))


def test_a_deployment_becomes_available_on_the_reference_node(
    cluster: Cluster, namespace: str
) -> None:
    made = cluster.apply(
        objects.deployment(namespace, containers=[objects.container(**{objects.SLICE: "1"})])
    )

    eventually(lambda: condition(cluster, ref_to(made), "Available").get("status") == "True")

    (pod,) = cluster.find("v1", "Pod", namespace=namespace, labels={"app": "web"})
    assert pod["spec"]["nodeName"] == NODE
    assert pod["status"]["phase"] == "Running"
    status = (cluster.get(ref_to(made)) or {})["status"]
    assert (status["readyReplicas"], status["availableReplicas"]) == (1, 1)


def test_a_changed_template_replaces_the_pod(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(objects.deployment(namespace))
    eventually(lambda: condition(cluster, ref_to(made), "Available").get("status") == "True")
    (before,) = cluster.find("v1", "Pod", namespace=namespace, labels={"app": "web"})

    cluster.apply(objects.deployment(namespace, priorityClassName=""))
    cluster.apply(objects.deployment(namespace, containers=[objects.container("other")]))

    def names() -> list[str]:
        pods = cluster.find("v1", "Pod", namespace=namespace, labels={"app": "web"})
        return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]

    eventually(lambda: len(names()) == 1 and names() != [before["metadata"]["name"]])


def test_no_replicas_are_no_pods(cluster: Cluster, namespace: str) -> None:
    wanted = objects.deployment(namespace)
    made = cluster.apply(wanted)
    eventually(lambda: condition(cluster, ref_to(made), "Available").get("status") == "True")

    wanted["spec"]["replicas"] = 0
    cluster.apply(wanted)

    eventually(lambda: cluster.find("v1", "Pod", namespace=namespace) == [])


def test_a_deleted_deployment_takes_its_pods_along(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(objects.deployment(namespace))
    eventually(lambda: cluster.find("v1", "Pod", namespace=namespace))

    cluster.delete(ref_to(made), uid=made["metadata"]["uid"])

    eventually(lambda: cluster.find("v1", "Pod", namespace=namespace) == [])
    eventually(lambda: cluster.find("apps/v1", "ReplicaSet", namespace=namespace) == [])


def test_a_stateful_set_makes_its_pods_and_claims_in_order(
    cluster: Cluster, namespace: str
) -> None:
    template = objects.claim("", "data")
    cluster.apply(
        objects.manifest(
            "apps/v1",
            "StatefulSet",
            namespace,
            "engine",
            spec={
                "replicas": 2,
                "serviceName": "engine",
                "selector": {"matchLabels": {"app": "engine"}},
                "template": {
                    "metadata": {"labels": {"app": "engine"}},
                    "spec": {"containers": [objects.container()]},
                },
                "volumeClaimTemplates": [
                    {"metadata": {"name": "data"}, "spec": template["spec"]},
                ],
            },
        )
    )

    for name in ("engine-0", "engine-1"):
        pod = Ref("v1", "Pod", name, namespace)
        eventually(lambda pod=pod: phase(cluster, pod) == "Running")  # type: ignore[misc]

    claims = cluster.find("v1", "PersistentVolumeClaim", namespace=namespace)
    assert [claim["metadata"]["name"] for claim in claims] == ["data-engine-0", "data-engine-1"]


def test_a_claim_waits_for_its_first_pod_and_is_bound_then(
    cluster: Cluster, namespace: str
) -> None:
    made = cluster.apply(objects.claim(namespace))
    assert made["spec"]["storageClassName"] == "lvms-vg1"
    assert phase(cluster, ref_to(made)) == "Pending"

    pod = objects.pod(namespace)
    pod["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    running = cluster.apply(pod)

    eventually(lambda: phase(cluster, ref_to(running)) == "Running")
    assert phase(cluster, ref_to(made)) == "Bound"
    bound = cluster.get(ref_to(made)) or {}
    volume = cluster.get(Ref("v1", "PersistentVolume", bound["spec"]["volumeName"]))
    assert volume is not None
    assert volume["spec"]["claimRef"]["uid"] == made["metadata"]["uid"]


def test_a_claim_in_use_stays_until_its_pod_is_gone(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(objects.claim(namespace))
    pod = objects.pod(namespace)
    pod["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    running = cluster.apply(pod)
    eventually(lambda: phase(cluster, ref_to(running)) == "Running")
    volume = (cluster.get(ref_to(made)) or {})["spec"]["volumeName"]

    cluster.delete(ref_to(made), uid=made["metadata"]["uid"])
    assert "deletionTimestamp" in (cluster.get(ref_to(made)) or {})["metadata"]
    cluster.delete(ref_to(running), uid=running["metadata"]["uid"])

    eventually(lambda: cluster.get(ref_to(made)) is None)
    eventually(lambda: cluster.get(Ref("v1", "PersistentVolume", volume)) is None)


def test_a_pod_that_fits_nowhere_says_why(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(objects.gpu_pod(namespace, objects.WHOLE_GPU, 99))

    scheduled = eventually(lambda: condition(cluster, ref_to(made), "PodScheduled"))

    assert (scheduled["status"], scheduled["reason"]) == ("False", "Unschedulable")
    assert scheduled["message"].startswith(
        f"0/1 nodes are available: 1 Insufficient {objects.WHOLE_GPU}."
    )


def test_a_device_is_free_again_when_its_pod_is_gone(cluster: Cluster, namespace: str) -> None:
    first = cluster.apply(objects.gpu_pod(namespace, objects.WHOLE_GPU, 4, "first"))
    eventually(lambda: phase(cluster, ref_to(first)) == "Running")
    second = cluster.apply(objects.gpu_pod(namespace, objects.WHOLE_GPU, 4, "second"))
    eventually(lambda: condition(cluster, ref_to(second), "PodScheduled").get("status") == "False")

    cluster.delete(ref_to(first), uid=first["metadata"]["uid"])

    eventually(lambda: phase(cluster, ref_to(second)) == "Running")


def test_the_node_says_what_it_has(cluster: Cluster) -> None:
    node = cluster.get(Ref("v1", "Node", NODE))

    assert node is not None
    allocatable: dict[str, Any] = node["status"]["allocatable"]
    assert (allocatable[objects.WHOLE_GPU], allocatable[objects.SLICE]) == ("4", "8")
    assert node["metadata"]["labels"]["nvidia.com/mig.config.state"] == "success"
    assert condition(cluster, Ref("v1", "Node", NODE), "Ready")["status"] == "True"


def test_every_namespace_gets_its_root_certificate(cluster: Cluster, namespace: str) -> None:
    certificate = Ref("v1", "ConfigMap", "kube-root-ca.crt", namespace)

    eventually(lambda: cluster.get(certificate) is not None)


def test_a_namespace_is_labelled_with_its_name(cluster: Cluster, namespace: str) -> None:
    found = cluster.get(Ref("v1", "Namespace", namespace))

    assert found is not None
    assert found["metadata"]["labels"]["kubernetes.io/metadata.name"] == namespace
    assert found["spec"]["finalizers"] == ["kubernetes"]
