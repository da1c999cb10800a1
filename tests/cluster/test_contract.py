"""The contract of `reconciler.cluster`: what every implementation does, on every cluster."""

import json
import secrets
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from reconciler.cluster import (
    Cluster,
    ClusterConflict,
    ClusterRefused,
    ClusterUnavailable,
    Ref,
    client,
    is_terminating,
    ref_to,
)
from tests.cluster import objects
from tests.cluster.waiting import eventually

ELSEWHERE = "00000000-0000-4000-8000-000000000000"


def test_the_server_says_its_version(cluster: Cluster) -> None:
    assert cluster.server_version().startswith("v1.")


def test_what_does_not_exist_is_none(cluster: Cluster, namespace: str) -> None:
    assert cluster.get(Ref("v1", "ConfigMap", "nothing", namespace)) is None


def test_what_would_be_in_a_namespace_that_does_not_exist_is_none(cluster: Cluster) -> None:
    assert cluster.get(Ref("v1", "ConfigMap", "nothing", "no-such-namespace")) is None


def test_apply_creates_what_is_missing(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(objects.config_map(namespace, a="1"))

    assert made["metadata"]["uid"]
    assert cluster.get(ref_to(made)) == made


@pytest.mark.parametrize("number", range(len(objects.one_of_each(""))))
def test_applying_the_same_again_changes_nothing(
    cluster: Cluster, namespace: str, number: int
) -> None:
    wanted = objects.one_of_each(namespace)[number]
    cluster.apply(wanted)
    if wanted["kind"] == "PersistentVolumeClaim":
        # A real server stores a claim once more at its second apply, with nothing changed in it.
        cluster.apply(wanted)

    def is_left_alone() -> bool:
        before = _settled(cluster, ref_to(wanted))
        again = cluster.apply(wanted)
        return bool(again["metadata"]["resourceVersion"] == before)

    # A controller may write its status after all between the two; an apply that changes something
    # changes it every time.
    eventually(is_left_alone)


def test_applying_a_namespace_again_changes_nothing(cluster: Cluster, namespace: str) -> None:
    wanted = objects.manifest("v1", "Namespace", "", namespace)
    before = cluster.apply(wanted)

    assert cluster.apply(wanted) == before


def test_a_field_no_longer_applied_is_removed(cluster: Cluster, namespace: str) -> None:
    cluster.apply(objects.config_map(namespace, a="1", b="2"))

    assert cluster.apply(objects.config_map(namespace, a="1"))["data"] == {"a": "1"}


def test_an_item_of_a_keyed_list_no_longer_applied_is_removed(
    cluster: Cluster, namespace: str
) -> None:
    one, other = objects.container("one"), objects.container("other")
    cluster.apply(objects.deployment(namespace, containers=[one, other]))

    after = cluster.apply(objects.deployment(namespace, containers=[one]))

    containers = after["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["one"]


def test_a_key_no_longer_in_the_quota_is_removed(cluster: Cluster, namespace: str) -> None:
    cluster.apply(objects.quota(namespace, pods="5", secrets="7"))

    after = cluster.apply(objects.quota(namespace, pods="5"))

    assert after["spec"]["hard"] == {"pods": "5"}


def test_fields_of_others_stay(cluster: Cluster, core: Any, namespace: str) -> None:
    cluster.apply(objects.config_map(namespace, a="1"))
    core.patch_namespaced_config_map("settings", namespace, {"data": {"theirs": "2"}})

    after = cluster.apply(objects.config_map(namespace, a="3"))

    assert after["data"] == {"a": "3", "theirs": "2"}


def test_fields_are_taken_over_from_other_managers(
    cluster: Cluster, core: Any, namespace: str
) -> None:
    core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "settings"}, "data": {"a": "theirs"}}
    )

    cluster.apply(objects.config_map(namespace, a="ours"))
    after = cluster.apply(objects.config_map(namespace, b="2"))

    assert after["data"] == {"b": "2"}


def test_without_force_another_manager_gets_a_conflict_that_names_us(
    cluster: Cluster, core: Any, namespace: str
) -> None:
    cluster.apply(objects.config_map(namespace, a="ours"))

    with pytest.raises(ApiException) as refused:
        core.patch_namespaced_config_map(
            "settings",
            namespace,
            objects.config_map(namespace, a="theirs"),
            field_manager="somebody",
            _content_type=client.APPLY,
        )

    assert refused.value.status == 409
    assert json.loads(refused.value.body)["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "gpuaas-reconciler"',
            "field": ".data.a",
        }
    ]


def test_what_was_changed_behind_our_back_is_put_right(
    cluster: Cluster, core: Any, namespace: str
) -> None:
    cluster.apply(objects.config_map(namespace, a="1"))
    core.patch_namespaced_config_map("settings", namespace, {"data": {"a": "drift"}})

    assert cluster.apply(objects.config_map(namespace, a="1"))["data"] == {"a": "1"}


def test_an_object_that_was_read_cannot_be_applied(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(objects.config_map(namespace))

    with pytest.raises(ClusterRefused) as refused:
        cluster.apply(made)

    assert refused.value.status_code == 400


def test_nothing_can_be_applied_into_a_namespace_that_does_not_exist(cluster: Cluster) -> None:
    with pytest.raises(ClusterConflict) as refused:
        cluster.apply(objects.config_map("no-such-namespace"))

    assert refused.value.status_code == 404


def test_what_the_api_calls_invalid_is_refused(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(ClusterRefused) as refused:
        cluster.apply(objects.config_map(namespace, "Not_A_Name"))

    assert refused.value.status_code == 422


def test_a_kind_the_cluster_does_not_serve_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ClusterRefused) as refused:
        cluster.find("security.openshift.io/v1", "SecurityContextConstraints")

    assert refused.value.status_code == 404


def test_a_kind_the_adapter_does_not_know_is_refused_without_asking(cluster: Cluster) -> None:
    with pytest.raises(ClusterRefused):
        cluster.find("example.test/v1", "Unheard")

    assert cluster.calls.total() == 0


def test_delete_deletes_exactly_the_object_meant(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(objects.config_map(namespace))

    assert cluster.delete(ref_to(made), uid=made["metadata"]["uid"])
    assert cluster.get(ref_to(made)) is None


def test_deleting_what_is_gone_returns_false(cluster: Cluster, namespace: str) -> None:
    assert not cluster.delete(Ref("v1", "ConfigMap", "nothing", namespace), uid=ELSEWHERE)


def test_another_object_of_the_same_name_is_not_deleted(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(objects.config_map(namespace))

    with pytest.raises(ClusterConflict):
        cluster.delete(ref_to(made), uid=ELSEWHERE)

    assert cluster.get(ref_to(made)) == made


def test_what_others_made_is_changed_as_it_was_seen(
    cluster: Cluster, core: Any, namespace: str
) -> None:
    core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "settings"}, "data": {"a": "1", "b": "2"}}
    )
    seen = cluster.get(Ref("v1", "ConfigMap", "settings", namespace))
    assert seen is not None

    after = cluster.change(seen, {"data": {"b": None}, "metadata": {"labels": {"x": "y"}}})

    assert after["data"] == {"a": "1"}
    assert after["metadata"]["labels"] == {"x": "y"}
    assert after["metadata"]["uid"] == seen["metadata"]["uid"]
    assert cluster.calls["change"] == 1


def test_what_is_not_as_it_was_seen_is_not_changed(cluster: Cluster, namespace: str) -> None:
    seen = cluster.apply(objects.config_map(namespace, a="1"))
    cluster.apply(objects.config_map(namespace, a="2"))

    with pytest.raises(ClusterConflict):
        cluster.change(seen, {"data": {"a": "3"}})

    cluster.delete(ref_to(seen), uid=seen["metadata"]["uid"])
    with pytest.raises(ClusterConflict):
        cluster.change(seen, {"data": {"a": "3"}})


def test_find_sees_only_what_carries_all_labels(cluster: Cluster, namespace: str) -> None:
    mark = secrets.token_hex(4)
    for name, labels in {
        "both": {"mark": mark, "color": "red"},
        "one": {"mark": mark},
        "other": {"color": "red"},
        "neither": {},
    }.items():
        wanted = objects.config_map(namespace, name)
        wanted["metadata"]["labels"] = labels
        cluster.apply(wanted)

    def found(**labels: str | None) -> list[str]:
        items = cluster.find("v1", "ConfigMap", labels=labels)
        return sorted(item["metadata"]["name"] for item in items)

    assert found(mark=mark) == ["both", "one"]
    assert found(mark=mark, color=None) == ["both"]
    assert found(mark=mark, color="blue") == []


def test_find_compares_fields(cluster: Cluster, namespace: str) -> None:
    for kind in ("Normal", "Warning"):
        cluster.apply(objects.event(namespace, f"said-{kind.lower()}", kind=kind))

    found = cluster.find("v1", "Event", namespace=namespace, fields={"type": "Warning"})

    names = [event["metadata"]["name"] for event in found]
    assert "said-warning" in names
    assert "said-normal" not in names


def test_answers_are_counted_by_verb_and_status(cluster: Cluster, namespace: str) -> None:
    before = cluster.answers.copy()

    cluster.get(Ref("v1", "ConfigMap", "nothing-there", namespace))
    cluster.apply(objects.config_map(namespace))

    assert cluster.answers - before == {("get", 404): 1, ("apply", 201): 1}


def test_find_keeps_to_a_namespace(cluster: Cluster, namespace: str) -> None:
    cluster.apply(objects.config_map(namespace))

    places = {
        item["metadata"]["namespace"]
        for item in cluster.find("v1", "ConfigMap", namespace=namespace)
    }

    assert places == {namespace}


def test_what_is_found_says_what_it_is(cluster: Cluster, namespace: str) -> None:
    made = cluster.apply(objects.config_map(namespace))

    assert made in cluster.find("v1", "ConfigMap", namespace=namespace)


def test_a_listing_of_several_pages_is_complete(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        wanted = objects.config_map(namespace, name)
        wanted["metadata"]["labels"] = {"paged": "yes"}
        cluster.apply(wanted)
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    before = cluster.calls["list"]

    found = cluster.find("v1", "ConfigMap", namespace=namespace, labels={"paged": "yes"})

    assert [item["metadata"]["name"] for item in found] == names
    assert cluster.calls["list"] - before == 3


def test_calls_are_counted_by_verb(cluster: Cluster, namespace: str) -> None:
    cluster.calls.clear()
    made = cluster.apply(objects.config_map(namespace))
    cluster.get(ref_to(made))
    cluster.delete(ref_to(made), uid=made["metadata"]["uid"])

    assert cluster.calls == {"apply": 1, "get": 1, "delete": 1}


def test_a_deleted_namespace_takes_everything_in_it_along(cluster: Cluster, namespace: str) -> None:
    made = [cluster.apply(wanted) for wanted in objects.one_of_each(namespace)]
    place = Ref("v1", "Namespace", namespace)
    found = cluster.get(place)
    assert found is not None

    assert cluster.delete(place, uid=found["metadata"]["uid"])

    eventually(lambda: cluster.get(place) is None)
    assert [cluster.get(ref_to(obj)) for obj in made] == [None] * len(made)


def test_a_namespace_is_terminating_until_the_last_finalizer_lets_go(
    cluster: Cluster, core: Any, namespace: str
) -> None:
    held = objects.config_map(namespace)
    held["metadata"]["finalizers"] = ["example.test/held"]
    cluster.apply(held)
    place = Ref("v1", "Namespace", namespace)
    found = cluster.get(place)
    assert found is not None
    cluster.delete(place, uid=found["metadata"]["uid"])

    def remaining() -> dict[str, str]:
        seen = cluster.get(place)
        assert seen is not None
        assert is_terminating(seen)
        assert seen["status"]["phase"] == "Terminating"
        conditions = seen["status"].get("conditions", [])
        return {c["type"]: c["message"] for c in conditions if c["status"] == "True"}

    eventually(lambda: "NamespaceFinalizersRemaining" in remaining())
    assert (
        "example.test/held in 1 resource instances" in remaining()["NamespaceFinalizersRemaining"]
    )
    assert cluster.delete(place, uid=found["metadata"]["uid"]), "asking twice does no harm"
    core.patch_namespaced_config_map("settings", namespace, {"metadata": {"finalizers": None}})
    eventually(lambda: cluster.get(place) is None)


def test_nothing_new_can_be_put_into_a_terminating_namespace(
    cluster: Cluster, core: Any, namespace: str
) -> None:
    held = objects.config_map(namespace)
    held["metadata"]["finalizers"] = ["example.test/held"]
    cluster.apply(held)
    place = Ref("v1", "Namespace", namespace)
    found = cluster.get(place)
    assert found is not None
    cluster.delete(place, uid=found["metadata"]["uid"])

    with pytest.raises(ClusterUnavailable) as refused:
        cluster.apply(objects.config_map(namespace, "late"))

    core.patch_namespaced_config_map("settings", namespace, {"metadata": {"finalizers": None}})
    assert refused.value.status_code == 403
    assert "because it is being terminated" in str(refused.value)


def _settled(cluster: Cluster, ref: Ref) -> str:
    """Return the object's version once its controllers have stopped writing to it."""
    seen: list[str] = []

    def has_rested() -> bool:
        found = cluster.get(ref)
        assert found is not None
        seen.append(found["metadata"]["resourceVersion"])
        return len(seen) > QUIET_LOOKS and len(set(seen[-QUIET_LOOKS:])) == 1

    eventually(has_rested)
    return seen[-1]


QUIET_LOOKS = 5
