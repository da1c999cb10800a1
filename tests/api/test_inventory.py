"""``/api/v1/inventory/``: everybody reads, platform administrators change."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from gpuaas.audit.models import AuditEvent
from gpuaas.inventory.models import Closure, Device, Node, Pool
from tests import make
from tests.api.clients import CALLERS, client, client_of
from tests.make import GPU

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/inventory"
LISTS = ["clusters", "nodes", "devices", "closures"]
FILE = """version: 1
cluster: lab
nodes:
- {name: gpu-9, cpu_millicores: 1000, memory_mib: 1024, storage_gib: 10}
"""


@pytest.fixture
def pool() -> Pool:
    return make.pool(slug="lab", of=make.cluster(name="lab"))


def json_client(caller: str) -> APIClient:
    browser = client(caller, team=make.team())
    browser.default_format = "json"
    return browser


@pytest.fixture
def admin(pool: Pool) -> APIClient:
    return json_client("admin")


def body(**more: Any) -> dict[str, Any]:
    closure = {"kind": "maintenance", "reason": "fans", "starts_at": "2026-03-02T08:00:00Z"}
    return {**closure, "ends_at": "2026-03-02T10:00:00Z", **more}


def changes(pool: Pool) -> dict[str, Callable[[APIClient], Any]]:
    """Return every way to change something, as an administrator would do it."""
    node, device = pool.nodes.get(), Device.objects.earliest("pk")
    closure = make.closure(of=node, at=make.window(50, 51))
    out = {"reason": "fans"}
    return {
        "node": lambda c: c.patch(f"{ROOT}/nodes/{node.pk}/", out | {"is_schedulable": False}),
        "device": lambda c: c.patch(f"{ROOT}/devices/{device.pk}/", out | {"state": "failed"}),
        "closures": lambda c: c.post(f"{ROOT}/closures/", body(pool="lab")),
        "cancel": lambda c: c.post(f"{ROOT}/closures/{closure.pk}/cancel/"),
        "import": lambda c: c.post(f"{ROOT}/import/", {"yaml": FILE}),
        "file": lambda c: c.get(f"{ROOT}/clusters/lab/file/"),
    }


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", LISTS)
def test_whoever_is_logged_in_sees_the_hardware(pool: Pool, caller: str, name: str) -> None:
    answer = client(caller, team=make.team()).get(f"{ROOT}/{name}/")

    assert answer.status_code == (401 if caller == "anonymous" else 200)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("what", ["node", "device", "closures", "cancel", "import", "file"])
def test_only_administrators_change_it(pool: Pool, caller: str, what: str) -> None:
    act = changes(pool)[what]

    answer = act(json_client(caller))

    allowed = 201 if what == "closures" else 200
    assert answer.status_code == {"admin": allowed, "anonymous": 401}.get(caller, 403)
    if caller not in {"admin", "anonymous"}:
        assert answer.json()["code"] == "platform_admins_only"
        assert not AuditEvent.objects.filter(
            action__in=["device.state_changed", "closure.planned", "inventory.imported"]
        )


def test_a_device_says_all_that_is_known_of_it(admin: APIClient) -> None:
    found = admin.get(f"{ROOT}/devices/", {"resource_name": GPU}).json()

    (gpu,) = found["results"]
    assert {key: gpu[key] for key in ("cluster", "ordinal", "memory_mib", "compute_share")} == {
        "cluster": "lab",
        "ordinal": 0,
        "memory_mib": 97_887,
        "compute_share": "1.0000",
    }
    assert gpu == admin.get(f"{ROOT}/devices/{gpu['id']}/").json()


def test_a_node_is_taken_out_and_the_same_again_is_refused(admin: APIClient, pool: Pool) -> None:
    address = f"{ROOT}/nodes/{pool.nodes.get().pk}/"

    out = admin.patch(address, {"is_schedulable": False, "reason": "fans"}).json()

    assert (out["is_schedulable"], out["is_withdrawn"], out["pool"]) == (False, True, "lab")
    again = admin.patch(address, {"is_schedulable": False, "reason": "fans"})
    assert (again.status_code, again.json()["code"]) == (409, "unchanged")
    assert admin.get(address).json() == out


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"state": "failed"}, 422, "reason_missing"),
        ({"state": "in_service"}, 409, "unchanged"),
        ({"state": "stolen", "reason": "x"}, 400, "invalid"),
        ({"state": "failed", "reason": "x", "uuid": "y"}, 400, "invalid"),
    ],
)
def test_what_of_a_device_is_refused(
    admin: APIClient, given: dict[str, str], status: int, code: str
) -> None:
    answer = admin.patch(f"{ROOT}/devices/{Device.objects.earliest('pk').pk}/", given)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_closure_is_planned_shown_and_taken_back(admin: APIClient, pool: Pool) -> None:
    made = admin.post(f"{ROOT}/closures/", body(node=pool.nodes.get().pk)).json()
    assert (made["pool"], made["node"]) == (None, pool.nodes.get().name)
    assert admin.get(f"{ROOT}/closures/").json()["results"] == [made]

    address = f"{ROOT}/closures/{made['id']}/cancel/"
    assert admin.post(address).json()["canceled_at"] == "2026-03-01T12:00:00Z"
    assert admin.post(address).json()["code"] == "closure_over"
    assert admin.get(f"{ROOT}/closures/").json()["results"] == []


@pytest.mark.parametrize(
    ("given", "status", "problem"),
    [
        (body(), 400, "required"),
        (body(pool="lab", node=1), 400, "required"),
        (body(pool="nowhere"), 400, "unknown"),
        (body(node=10**30), 400, "unknown"),
        (body(pool="lab", kind="party"), 400, "invalid_choice"),
        (body(pool="lab", starts_at="tomorrow"), 400, "invalid"),
        (body(pool="lab", starts_at="2026-03-01T11:00:00Z"), 422, "closure_in_the_past"),
        (body(pool="lab", ends_at="2026-03-02T08:00:00Z"), 422, "closure_ends_first"),
        (body(pool="lab", ends_at="2029-03-02T08:00:00Z"), 422, "closure_too_long"),
    ],
)
def test_what_closure_is_refused(
    admin: APIClient, given: dict[str, Any], status: int, problem: str
) -> None:
    answer = admin.post(f"{ROOT}/closures/", given)

    assert answer.status_code == status
    assert [each["code"] for each in answer.json()["details"]["problems"]] == [problem]
    assert not Closure.objects.exists()


def test_an_import_shows_its_difference_first(admin: APIClient) -> None:
    dry = admin.post(f"{ROOT}/import/?dry_run=1", {"yaml": FILE}).json()
    assert dry["changes"][0] == "+ node gpu-9"
    assert not Node.objects.filter(name="gpu-9").exists()

    assert admin.post(f"{ROOT}/import/", {"yaml": FILE}).json()["changes"] == dry["changes"]
    assert Node.objects.get(name="gpu-9").cluster.name == "lab"


def test_a_bad_file_names_path_and_line(admin: APIClient) -> None:
    answer = admin.post(f"{ROOT}/import/", {"yaml": FILE.replace("1024", "-1")})

    (problem,) = answer.json()["details"]["problems"]
    assert (answer.status_code, answer.json()["code"]) == (422, "inventory_file_refused")
    assert (problem["field"], problem["line"]) == ("nodes[0].memory_mib", 4)
    assert admin.post(f"{ROOT}/import/?dry_run=perhaps", {"yaml": FILE}).status_code == 400


def test_what_is_exported_is_imported_without_a_difference(admin: APIClient) -> None:
    exported = admin.get(f"{ROOT}/clusters/lab/file/").json()

    assert admin.post(f"{ROOT}/import/", exported).json()["changes"] == []


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_however_long_it_is(
    pool: Pool, name: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for hour in range(10):
        make.closure(of=make.node(of=pool), at=make.window(hour, hour + 1))
    browser = client_of(make.user())

    with django_assert_max_num_queries(4):  # who is asking, count and page
        browser.get(f"{ROOT}/{name}/")


@pytest.mark.parametrize("path", ["nodes/999999", "devices/999999", f"nodes/{10**30}"])
def test_what_is_not_there(admin: APIClient, path: str) -> None:
    assert admin.get(f"{ROOT}/{path}/").status_code == 404
