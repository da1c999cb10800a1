"""The verbs over HTTP: what is answered, with which status and which words."""

from typing import Any

import pytest

from simcluster.testing import Simulator
from tests.cluster import objects
from tests.cluster.waiting import eventually
from tests.simcluster.conftest import Api, api_of

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def maps(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def test_an_object_is_created_read_and_deleted(api: Api, namespace: str) -> None:
    made = api("POST", maps(namespace), {"metadata": {"name": "m"}, "data": {"a": "1"}})

    assert made.status == 201
    assert api("GET", maps(namespace, "m")).body == made.body
    assert api("DELETE", maps(namespace, "m")).body["status"] == "Success"
    assert api("GET", maps(namespace, "m")).status == 404


def test_a_second_object_of_one_name_already_exists(api: Api, namespace: str) -> None:
    api("POST", maps(namespace), {"metadata": {"name": "m"}})

    again = api("POST", maps(namespace), {"metadata": {"name": "m"}})

    assert (again.status, again.body["reason"]) == (409, "AlreadyExists")
    assert again.body["message"] == 'configmaps "m" already exists'


def test_a_name_can_be_generated(api: Api, namespace: str) -> None:
    names = {
        api("POST", maps(namespace), {"metadata": {"generateName": "m-"}}).body["metadata"]["name"]
        for _ in range(3)
    }

    assert len(names) == 3
    assert all(name.startswith("m-") and len(name) == 7 for name in names)


def test_a_dry_run_leaves_no_trace(api: Api, namespace: str) -> None:
    made = api("POST", maps(namespace) + "?dryRun=All", {"metadata": {"name": "m"}})

    assert made.status == 201
    assert api("GET", maps(namespace, "m")).status == 404


def test_a_replacement_with_an_old_version_conflicts(api: Api, namespace: str) -> None:
    first = api("POST", maps(namespace), {"metadata": {"name": "m"}}).body
    second = api("PUT", maps(namespace, "m"), {**first, "data": {"a": "1"}})

    late = api("PUT", maps(namespace, "m"), {**first, "data": {"a": "2"}})

    assert second.status == 200
    assert (late.status, late.body["reason"]) == (409, "Conflict")
    assert "the object has been modified" in late.body["message"]


def test_a_replacement_of_nothing_is_not_found(api: Api, namespace: str) -> None:
    assert api("PUT", maps(namespace, "m"), {"metadata": {"name": "m"}}).status == 404


def test_writing_what_is_there_already_gives_no_new_version(api: Api, namespace: str) -> None:
    made = api("POST", maps(namespace), {"metadata": {"name": "m"}, "data": {"a": "1"}}).body

    again = api("PATCH", maps(namespace, "m"), {"data": {"a": "1"}}, content_type=MERGE)

    assert again.body == made


@pytest.mark.parametrize(
    ("content_type", "patch"),
    [
        (MERGE, {"data": {"a": None, "b": "2"}}),
        (STRATEGIC, {"data": {"a": None, "b": "2"}}),
        (
            JSON_PATCH,
            [{"op": "remove", "path": "/data/a"}, {"op": "add", "path": "/data/b", "value": "2"}],
        ),
    ],
)
def test_three_kinds_of_patches(api: Api, namespace: str, content_type: str, patch: Any) -> None:
    api("POST", maps(namespace), {"metadata": {"name": "m"}, "data": {"a": "1"}})

    patched = api("PATCH", maps(namespace, "m"), patch, content_type=content_type)

    assert (patched.status, patched.body["data"]) == (200, {"b": "2"})


def test_any_other_kind_of_patch_is_an_unsupported_media_type(api: Api, namespace: str) -> None:
    api("POST", maps(namespace), {"metadata": {"name": "m"}})

    assert api("PATCH", maps(namespace, "m"), {}, content_type="text/json").status == 415


def test_an_apply_needs_a_field_manager(api: Api, namespace: str) -> None:
    refused = api("PATCH", maps(namespace, "m"), {}, content_type=APPLY)

    assert (refused.status, refused.body["reason"]) == (422, "Invalid")


def test_an_apply_says_whether_it_created(api: Api, namespace: str) -> None:
    path = maps(namespace, "m") + "?fieldManager=us"

    statuses = [
        api("PATCH", path, {"metadata": {"name": "m"}, "data": {"a": a}}, content_type=APPLY).status
        for a in ("1", "2")
    ]

    assert statuses == [201, 200]


def test_the_spec_and_the_status_are_written_apart(api: Api, namespace: str) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api("POST", quotas, objects.quota(namespace, pods="3"))

    made = api("PATCH", f"{quotas}/budget", {"status": {"hard": {"pods": "9"}}}, content_type=MERGE)

    assert made.body["status"].get("hard", {}).get("pods") != "9"


def test_a_collection_is_deleted_by_selector(api: Api, namespace: str) -> None:
    for name, color in {"one": "red", "two": "blue"}.items():
        body = {"metadata": {"name": name, "labels": {"color": color}}}
        api("POST", maps(namespace), body)

    api("DELETE", maps(namespace) + "?labelSelector=color%3Dred")

    names = [item["metadata"]["name"] for item in api("GET", maps(namespace)).body["items"]]
    assert "one" not in names
    assert "two" in names


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_continue_the_listing_they_began(api: Api, namespace: str, limit: int) -> None:
    names = [f"m-{number}" for number in range(5)]
    for name in names:
        api("POST", maps(namespace), {"metadata": {"name": name, "labels": {"paged": "yes"}}})
    query = f"?labelSelector=paged&limit={limit}"
    seen, token = [], ""

    while True:
        page = api("GET", maps(namespace) + query + (f"&continue={token}" if token else "")).body
        seen += [item["metadata"]["name"] for item in page["items"]]
        if not token:
            api("DELETE", maps(namespace, "m-4"))  # the pages show the past
        token = page["metadata"].get("continue", "")
        if not token:
            break

    assert seen == names


def test_a_token_that_is_too_old_is_gone(api: Api) -> None:
    page = api("GET", "/api/v1/namespaces?limit=1").body
    api("POST", "/_sim/expire")

    late = api("GET", f"/api/v1/namespaces?limit=1&continue={page['metadata']['continue']}")

    assert (late.status, late.body["reason"]) == (410, "Expired")


def test_items_of_a_list_do_not_repeat_what_they_are(api: Api) -> None:
    listing = api("GET", "/api/v1/nodes").body

    assert (listing["kind"], listing["apiVersion"]) == ("NodeList", "v1")
    assert "kind" not in listing["items"][0]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/unheard", 404),
        ("/apis/apps/v2/deployments", 404),
        ("/api/v1/namespaces/default/nodes", 404),
        ("/api/v1/namespaces/default/pods?labelSelector=a%20b", 400),
        ("/api/v1/namespaces/default/pods?fieldSelector=spec.volumes%3Dx", 400),
        ("/nonsense", 404),
    ],
)
def test_requests_that_make_no_sense(api: Api, path: str, status: int) -> None:
    assert api("GET", path).status == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"metadata": {"name": "Upper"}}, 422),
        ({"metadata": {}}, 422),
        ({"metadata": {"name": "m", "labels": {"a": "no spaces"}}}, 422),
        ({"metadata": {"name": "m", "labels": {"a": 1}}}, 400),
        ({"kind": "Secret", "metadata": {"name": "m"}}, 400),
        ({"metadata": {"name": "m", "namespace": "elsewhere"}}, 400),
        ({"metadata": {"name": "m", "resourceVersion": "1"}}, 400),
        ({"metadata": {"name": "m"}, "data": {"a": 1}}, 400),
        ([], 400),
    ],
)
def test_bodies_that_cannot_be_stored(api: Api, namespace: str, body: Any, status: int) -> None:
    assert api("POST", maps(namespace), body).status == status


def test_a_name_frozen_in_a_workload_cannot_be_changed(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api("POST", path, objects.deployment(namespace))
    patch = {
        "spec": {
            "selector": {"matchLabels": {"app": "other"}},
            "template": {"metadata": {"labels": {"app": "other"}}},
        }
    }

    refused = api("PATCH", f"{path}/web", patch, content_type=MERGE)

    assert refused.status == 422
    assert "field is immutable" in refused.body["message"]


def test_a_deployment_is_scaled_through_its_subresource(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api("POST", path, objects.deployment(namespace))

    scaled = api("PATCH", f"{path}/web/scale", {"spec": {"replicas": 2}}, content_type=MERGE)

    assert scaled.body["spec"]["replicas"] == 2
    eventually(lambda: api("GET", f"{path}/web").body.get("status", {}).get("readyReplicas") == 2)


def test_finalize_lets_a_namespace_go_and_leaves_its_contents_behind(api: Api) -> None:
    namespaces = "/api/v1/namespaces"
    body = {"metadata": {"name": "orphans", "finalizers": []}}
    api("POST", namespaces, body)
    held = {"metadata": {"name": "held", "finalizers": ["example.test/held"]}}
    api("POST", maps("orphans"), held)
    api("DELETE", f"{namespaces}/orphans")
    eventually(lambda: "deletionTimestamp" in api("GET", maps("orphans", "held")).body["metadata"])
    found = api("GET", f"{namespaces}/orphans").body

    finalized = api("PUT", f"{namespaces}/orphans/finalize", {**found, "spec": {"finalizers": []}})

    assert finalized.status == 200
    assert api("GET", f"{namespaces}/orphans").status == 404
    assert api("GET", maps("orphans", "held")).status == 200


def test_a_dependent_goes_with_its_owner_and_an_orphan_stays(api: Api, namespace: str) -> None:
    for policy in ("Background", "Foreground", "Orphan"):
        owner = api("POST", maps(namespace), {"metadata": {"name": policy.lower()}}).body
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": policy.lower(),
            "uid": owner["metadata"]["uid"],
        }
        name = f"of-{policy.lower()}"
        api("POST", maps(namespace), {"metadata": {"name": name, "ownerReferences": [reference]}})
        api("DELETE", maps(namespace, policy.lower()), {"propagationPolicy": policy})

    def names() -> set[str]:
        items = api("GET", maps(namespace)).body["items"]
        return {item["metadata"]["name"] for item in items} - {"kube-root-ca.crt"}

    eventually(lambda: names() == {"of-orphan"})


@pytest.mark.parametrize(
    ("token", "path", "status"),
    [
        ("", "/healthz", 200),
        ("", "/api/v1/nodes", 403),
        ("wrong", "/api/v1/nodes", 401),
        ("a.b.c", "/api/v1/nodes", 401),
        ("a.b.\xe4", "/api/v1/nodes", 401),
    ],
)
def test_tokens(simulator: Simulator, token: str, path: str, status: int) -> None:
    assert api_of(simulator, token=token)("GET", path).status == status


def test_impersonation_needs_the_right_to_it(simulator: Simulator, api: Api) -> None:
    role = {
        "metadata": {"name": "actors"},
        "rules": [{"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]}],
    }
    api("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role)
    request = {"spec": {"audiences": [], "expirationSeconds": 600}}
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    eventually(lambda: api("POST", path, request).status == 201)
    token = api("POST", path, request).body["status"]["token"]

    refused = api_of(simulator, token=token, user="somebody")("GET", "/api/v1/nodes")

    assert refused.status == 403
    assert "cannot impersonate resource" in refused.body["message"]


def test_the_simulators_own_doors_are_for_its_administrator(simulator: Simulator) -> None:
    assert api_of(simulator, user="bob")("GET", "/_sim/faults").status == 403


def test_requests_are_counted(simulator: Simulator, api: Api) -> None:
    api("DELETE", "/_sim/requests")
    api("GET", "/api/v1/nodes")
    api("GET", "/api/v1/nodes")

    assert api("GET", "/_sim/requests").body == {"list nodes": 2}
    assert simulator.requests() == {"list nodes": 2}


def test_faults_are_put_in_force_listed_and_cleared(api: Api) -> None:
    fault = {"kind": "error", "code": 429, "retry_after": 3, "path": "/nodes", "times": 2}
    api("POST", "/_sim/faults", fault)

    answers = [api("GET", "/api/v1/nodes") for _ in range(3)]

    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "3"
    assert api("GET", "/_sim/faults").body == {"faults": []}
    assert api("POST", "/_sim/faults", {"kind": "earthquake"}).status == 400
    assert api("POST", "/_sim/faults", {"colour": "red"}).status == 400
