"""What the product relies on to fence a tenant in: quotas and limit ranges."""

import time
from typing import Any, Final

import pytest

from reconciler.cluster import Cluster, ClusterRefused, Manifest, Ref, ref_to
from tests.cluster import objects
from tests.cluster.waiting import eventually

CACHE_SECONDS: Final = 0.3


def used(cluster: Cluster, namespace: str) -> dict[str, str]:
    found = cluster.get(Ref("v1", "ResourceQuota", "budget", namespace))
    assert found is not None
    counted: dict[str, str] = found.get("status", {}).get("used", {})
    return counted


def refusal(cluster: Cluster, manifest: Manifest) -> str:
    with pytest.raises(ClusterRefused) as refused:
        cluster.apply(manifest)
    assert refused.value.status_code == 403
    return str(refused.value)


def counted_quota(cluster: Cluster, namespace: str, **hard: str) -> None:
    """Apply a quota and wait for its first count, which misses what is created meanwhile.

    Nor does a real server hold to a quota before its own cache has it, which is a moment later.
    """
    cluster.apply(objects.quota(namespace, **hard))
    eventually(lambda: used(cluster, namespace).keys() == hard.keys())
    time.sleep(CACHE_SECONDS)


def counted_gpu_quota(cluster: Cluster, namespace: str) -> None:
    counted_quota(cluster, namespace, **objects.gpu_quota(namespace)["spec"]["hard"])


def test_a_quota_counts_every_key_it_has_a_moment_after_it_was_made(
    cluster: Cluster, namespace: str
) -> None:
    made = cluster.apply(objects.gpu_quota(namespace))

    eventually(lambda: used(cluster, namespace).keys() == made["spec"]["hard"].keys())

    assert set(used(cluster, namespace).values()) == {"0"}


def test_a_quota_of_none_holds_once_it_is_counted(cluster: Cluster, namespace: str) -> None:
    counted_gpu_quota(cluster, namespace)

    message = refusal(cluster, objects.gpu_pod(namespace, objects.WHOLE_GPU))

    assert message == (
        'pods "work" is forbidden: exceeded quota: budget, requested: requests.nvidia.com/gpu=1, '
        "used: requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=0"
    )


def test_the_booked_type_is_admitted_and_counted(cluster: Cluster, namespace: str) -> None:
    counted_gpu_quota(cluster, namespace)

    cluster.apply(objects.gpu_pod(namespace, objects.SLICE))

    eventually(lambda: used(cluster, namespace).get(f"requests.{objects.SLICE}") == "1")


def test_asking_for_none_of_a_forbidden_type_is_fine(cluster: Cluster, namespace: str) -> None:
    cluster.apply(objects.gpu_quota(namespace))

    cluster.apply(objects.gpu_pod(namespace, objects.WHOLE_GPU, 0))


def test_one_more_than_booked_is_refused(cluster: Cluster, namespace: str) -> None:
    counted_gpu_quota(cluster, namespace)
    for number in range(2):
        cluster.apply(objects.gpu_pod(namespace, objects.SLICE, name=f"work-{number}"))
    eventually(lambda: used(cluster, namespace).get(f"requests.{objects.SLICE}") == "2")

    message = refusal(cluster, objects.gpu_pod(namespace, objects.SLICE, name="one-too-many"))

    assert f"used: requests.{objects.SLICE}=2, limited: requests.{objects.SLICE}=2" in message


def test_what_is_deleted_is_given_back(cluster: Cluster, namespace: str) -> None:
    counted_gpu_quota(cluster, namespace)
    made = cluster.apply(objects.gpu_pod(namespace, objects.SLICE))
    eventually(lambda: used(cluster, namespace).get(f"requests.{objects.SLICE}") == "1")

    cluster.delete(ref_to(made), uid=made["metadata"]["uid"])

    eventually(lambda: used(cluster, namespace).get(f"requests.{objects.SLICE}") == "0")


def test_a_type_the_quota_does_not_name_is_free(cluster: Cluster, namespace: str) -> None:
    cluster.apply(objects.quota(namespace, **{f"requests.{objects.WHOLE_GPU}": "0"}))

    cluster.apply(objects.gpu_pod(namespace, objects.SLICE, 8))


@pytest.mark.parametrize("key", ["limits.nvidia.com/gpu", "nvidia.com/gpu"])
def test_a_gpu_key_without_requests_is_stored_and_counts_nothing(
    cluster: Cluster, namespace: str, key: str
) -> None:
    cluster.apply(objects.quota(namespace, **{key: "0", "pods": "5"}))
    eventually(lambda: "pods" in used(cluster, namespace))

    cluster.apply(objects.gpu_pod(namespace, objects.WHOLE_GPU))

    eventually(lambda: used(cluster, namespace).get("pods") == "1")
    assert key not in used(cluster, namespace)


def test_an_unknown_key_without_a_domain_is_invalid(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(ClusterRefused) as refused:
        cluster.apply(objects.quota(namespace, gpus="1"))

    assert refused.value.status_code == 422


@pytest.mark.parametrize(
    ("hard", "again"),
    [
        ({"count/deployments.apps": "1"}, objects.deployment),
        ({"persistentvolumeclaims": "1"}, objects.claim),
    ],
)
def test_objects_can_be_counted(
    cluster: Cluster, namespace: str, hard: dict[str, str], again: Any
) -> None:
    (key,) = hard
    counted_quota(cluster, namespace, **hard)
    cluster.apply(again(namespace, "first"))
    eventually(lambda: used(cluster, namespace) == {key: "1"})

    message = refusal(cluster, again(namespace, "second"))

    assert f"requested: {key}=1, used: {key}=1, limited: {key}=1" in message


def test_storage_is_charged_by_request(cluster: Cluster, namespace: str) -> None:
    counted_quota(cluster, namespace, **{"requests.storage": "10Gi"})
    cluster.apply(objects.claim(namespace, "first", "6Gi"))
    # The claim is counted when it is admitted; a recount that missed it would undo that.
    eventually(lambda: used(cluster, namespace)["requests.storage"] == "6Gi")

    message = refusal(cluster, objects.claim(namespace, "second", "5Gi"))

    assert "requested: requests.storage=5Gi, used: requests.storage=6Gi" in message


def test_with_a_quota_on_limits_every_container_states_them(
    cluster: Cluster, namespace: str
) -> None:
    counted_quota(cluster, namespace, **{"limits.cpu": "4", "limits.memory": "8Gi"})

    message = refusal(cluster, objects.pod(namespace))

    assert message.endswith(
        "failed quota: budget: must specify limits.cpu for: main; limits.memory for: main"
    )


def test_a_limit_range_states_them_instead(cluster: Cluster, namespace: str) -> None:
    cluster.apply(objects.quota(namespace, **{"limits.cpu": "4", "requests.cpu": "2"}))
    cluster.apply(
        objects.limit_range(namespace, default={"cpu": "500m"}, defaultRequest={"cpu": "100m"})
    )

    made = cluster.apply(objects.pod(namespace))

    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m"},
        "requests": {"cpu": "100m"},
    }


def test_a_maximum_alone_becomes_the_default_of_every_container(
    cluster: Cluster, namespace: str
) -> None:
    cluster.apply(objects.limit_range(namespace, max={objects.SLICE: "1"}))

    made = cluster.apply(objects.pod(namespace))

    assert made["spec"]["containers"][0]["resources"]["limits"] == {objects.SLICE: "1"}


def test_a_maximum_with_defaults_of_zero_is_only_a_maximum(
    cluster: Cluster, namespace: str
) -> None:
    none = {objects.SLICE: "0"}
    cluster.apply(
        objects.limit_range(namespace, max={objects.SLICE: "1"}, default=none, defaultRequest=none)
    )

    made = cluster.apply(objects.pod(namespace))
    message = refusal(cluster, objects.gpu_pod(namespace, objects.SLICE, 2, name="greedy"))

    assert made["spec"]["containers"][0]["resources"]["limits"] == none
    assert f"maximum {objects.SLICE} usage per Container is 1, but limit is 2" in message


def test_quantities_are_stored_in_one_spelling(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(
        objects.quota(namespace, **{"limits.cpu": "1000m", "limits.memory": "1024Mi"})
    )

    assert made["spec"]["hard"] == {"limits.cpu": "1", "limits.memory": "1Gi"}


def test_a_deployment_over_quota_is_accepted_and_its_replica_set_says_why(
    cluster: Cluster, namespace: str
) -> None:
    counted_gpu_quota(cluster, namespace)

    cluster.apply(
        objects.deployment(namespace, containers=[objects.container(**{objects.WHOLE_GPU: "1"})])
    )

    def complaints() -> list[str]:
        events = cluster.find("v1", "Event", namespace=namespace)
        return [event["message"] for event in events if event["reason"] == "FailedCreate"]

    assert "exceeded quota: budget" in eventually(complaints)[0]
