"""``/api/v1/reservations/<id>/extension/`` and ``extend/``; what a full pool offers instead."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import Team
from gpuaas.inventory.models import Pool
from reservations.lifecycle import State
from reservations.models import Reservation
from tests import make
from tests.api.clients import CALLERS, client, client_of
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def pool() -> Pool:
    return make.pool(slug="lab", devices={SLICE: 4, GPU: 1})


@pytest.fixture
def running(pool: Pool, team: Team) -> Reservation:
    return make.reservation(of=pool, by=team, at=make.window(-1, 2), units=4, state=State.ACTIVE)


def address(of: Reservation, action: str) -> str:
    return f"/api/v1/reservations/{of.public_id}/{action}/"


def extend(caller: str, of: Reservation, **data: object) -> Any:
    return client(caller, team=of.team).post(address(of, "extend"), data, format="json")


@pytest.mark.parametrize("caller", CALLERS)
def test_who_may_look_and_who_may_extend(running: Reservation, caller: str) -> None:
    sees = caller in {"member", "manager", "viewer", "finance", "admin"}
    unseen = 401 if caller == "anonymous" else 404
    may = 200 if caller in {"member", "manager", "admin"} else 403

    shown = client(caller, team=running.team).get(address(running, "extension"))
    extended = extend(caller, running, ends_at="2026-03-01T16:00:00Z")

    assert shown.status_code == (200 if sees else unseen)
    assert extended.status_code == (may if sees else unseen)
    running.refresh_from_db()
    assert running.ends_at == make.at(4 if sees and may == 200 else 2)


def test_how_long_at_most_and_why(pool: Pool, running: Reservation) -> None:
    make.reservation(of=pool, at=make.window(5, 6), units=1)

    shown = client("member", team=running.team).get(address(running, "extension")).json()

    assert shown == {
        "ends_at": "2026-03-01T14:00:00Z",
        "until": "2026-03-01T17:00:00Z",
        "because": "booked",
        "message": "from then on others have booked what it needs",
    }
    assert extend("member", running, as_much_as_possible=True).json()["ends_at"] == shown["until"]


def test_too_long_says_until_when_it_can_be_had(pool: Pool, running: Reservation) -> None:
    make.reservation(of=pool, at=make.window(5, 6), units=1)

    refused = extend("member", running, ends_at="2026-03-01T18:00:00Z")

    assert refused.status_code == 409
    body = refused.json()
    assert (body["code"], body["details"]["until"]) == ("cannot_extend", "2026-03-01T17:00:00Z")
    assert body["details"]["afterwards"] == {
        "starts_at": "2026-03-01T18:00:00Z",
        "ends_at": "2026-03-01T19:00:00Z",
    }


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"ends_at": "2026-03-01T16:00:00"},
        {"ends_at": "soon"},
        {"as_much_as_possible": False},
        {"as_much_as_possible": True, "ends_at": "2026-03-01T16:00:00Z"},
    ],
)
def test_nonsense_is_refused(running: Reservation, data: dict[str, object]) -> None:
    refused = extend("member", running, **data)

    assert refused.status_code == 400
    assert refused.json()["details"]["problems"][0]["field"] == "ends_at"


def test_looking_costs_the_same_however_much_is_booked(
    pool: Pool, running: Reservation, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = client("member", team=running.team)
    for hour in range(2, 12):
        make.reservation(of=pool, at=make.window(hour, hour + 1))

    with django_assert_max_num_queries(12):
        browser.get(address(running, "extension"))


def test_what_a_full_pool_offers_can_be_booked(
    team: Team, pool: Pool, running: Reservation
) -> None:
    wish = {
        "pool": "lab",
        "team": "vision",
        "resource_name": SLICE,
        "units": 4,
        "starts_at": "2026-03-01T13:00:00Z",
        "ends_at": "2026-03-01T15:00:00Z",
        "storage_gib": 100,
    }
    browser = client_of(make.user(teams=[team]))

    full = browser.post("/api/v1/reservations/", wish, format="json").json()

    assert full["code"] == "pool_full"
    instead = full["details"]
    assert instead["nearest"]["starts_at"] == instead["free_windows"][0]["starts_at"]
    (offer,) = instead["alternatives"]
    assert offer["message"] == (
        "1 x nvidia.com/gpu (96 GB of GPU memory) from 2026-03-01 13:00 UTC"
    )
    for key in ("message", "gpu_memory_gb", "is_smaller"):
        offer.pop(key)
    booked = browser.post("/api/v1/reservations/", {**wish, **offer}, format="json")
    assert booked.status_code == 201
