"""``/api/v1/inventory/layouts/``: planned, listed, refused with reasons, taken back."""

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from gpuaas.inventory.models import Cluster, Device, Pool
from tests import make
from tests.api.clients import client
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/inventory/layouts/"


@pytest.fixture
def pool() -> Pool:
    pool = make.pool(slug="lab", of=make.cluster(name="lab"))
    Cluster.objects.update(gpu_operator_namespace="gpu-operator")
    Device.objects.filter(resource_name=SLICE).update(gpu_index=0, replicas=1)
    Device.objects.filter(resource_name=GPU).update(gpu_index=1, replicas=1)
    return pool


@pytest.fixture
def admin(pool: Pool) -> APIClient:
    caller = client("admin", team=make.team())
    caller.default_format = "json"
    return caller


def body(pool: Pool, **more: Any) -> dict[str, Any]:
    return {
        "node": pool.nodes.get().pk,
        "gpu_index": 0,
        "cut": {GPU: 1},
        "starts_at": "2026-03-06T20:00:00Z",
        "ends_at": "2026-03-09T06:00:00Z",
        "reason": "a large model over the weekend",
        **more,
    }


def test_a_layout_is_planned_shown_booked_on_and_taken_back(admin: APIClient, pool: Pool) -> None:
    made = admin.post(ROOT, body(pool))

    assert made.status_code == 201, made.json()
    assert made.json() | {"id": 0, "node": "", "created_at": "", "state_changed_at": ""} == {
        "id": 0,
        "node": "",
        "pool": "lab",
        "gpu_index": 0,
        "cut": {GPU: 1},
        "starts_at": "2026-03-06T20:00:00Z",
        "bookable_from": "2026-03-06T20:15:00Z",
        "ends_at": "2026-03-09T06:00:00Z",
        "reason": "a large model over the weekend",
        "state": "planned",
        "state_reason": "",
        "state_changed_at": "",
        "created_at": "",
    }
    assert admin.get(ROOT).json()["results"] == [made.json()]
    free = admin.get(
        "/api/v1/pools/lab/availability/",
        {"resource_name": GPU, "starts_at": "2026-03-06T18:00:00Z", "hours": "5"},
    )
    assert free.json()["free"] == [1, 1, 0, 2, 2]
    [planned] = [
        each
        for each in admin.get("/api/v1/inventory/devices/").json()["results"]
        if each["layout"] is not None
    ]
    assert (planned["is_present"], planned["gpu_index"]) == (False, 0)
    rows = admin.get(
        "/api/v1/pools/lab/calendar/",
        {"starts_at": "2026-03-06T00:00:00Z", "ends_at": "2026-03-07T00:00:00Z"},
    ).json()["devices"]
    assert {
        (row["resource_name"], row["gpu_index"]): [entry["whose"] for entry in row["bookings"]]
        for row in rows
    } == {(SLICE, 0): ["absent"], (GPU, 0): ["absent"], (GPU, 1): []}

    closures = admin.get("/api/v1/inventory/closures/").json()["results"]
    assert [each["kind"] for each in closures] == ["layout", "layout"]
    answer = admin.post(f"/api/v1/inventory/closures/{closures[0]['id']}/cancel/")
    assert (answer.status_code, answer.json()["details"]["problems"][0]["code"]) == (
        422,
        "closure_of_a_layout",
    )

    address = f"{ROOT}{made.json()['id']}/cancel/"
    assert admin.post(address).json()["state"] == "canceled"
    assert admin.post(address).json()["code"] == "layout_begun"
    assert admin.get(ROOT).json()["results"] == []


def test_what_stands_in_the_way_is_said_and_nothing_is_changed(
    admin: APIClient, pool: Pool
) -> None:
    start = make.at(24 * 6)
    booked = make.reservation(of=pool, at=make.window(24 * 6, 24 * 6 + 3))

    answer = admin.post(
        ROOT,
        body(
            pool,
            starts_at=(start - timedelta(hours=1)).isoformat(),
            ends_at=(start + timedelta(hours=1)).isoformat(),
        ),
    )

    [problem] = answer.json()["details"]["problems"]
    assert (answer.status_code, answer.json()["code"]) == (422, "layout_refused")
    assert (problem["code"], problem["field"]) == ("bookings_in_the_way", "starts_at")
    assert str(booked.public_id) in problem["message"]
    assert "it would fit from" in problem["message"]
    assert admin.get(ROOT).json()["results"] == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"node": 0}, 400),
        ({"node": 999_999}, 400),
        ({"cut": {}}, 400),
        ({"cut": {GPU: 0}}, 400),
        ({"cut": {"nvidia.com/mig-9g.9gb": 1}}, 422),
        ({"gpu_index": 7}, 422),
        ({"extra": 1}, 400),
    ],
)
def test_bad_input(admin: APIClient, pool: Pool, changes: dict[str, Any], status: int) -> None:
    assert admin.post(ROOT, body(pool, **changes)).status_code == status


def test_nobody_plans_a_closure_of_that_kind_by_hand(admin: APIClient, pool: Pool) -> None:
    given = {"pool": "lab", "kind": "layout", "reason": "x", "starts_at": "2026-03-02T08:00:00Z"}

    answer = admin.post("/api/v1/inventory/closures/", {**given, "ends_at": "2026-03-02T10:00:00Z"})

    assert answer.status_code == 400
