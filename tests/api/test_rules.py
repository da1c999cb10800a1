"""Rules and prices of pools, limits of teams, and overriding them."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, Team
from gpuaas.inventory.models import Pool
from reservations.models import UnitPrice
from tests import make
from tests.api.clients import CALLERS, client, client_of
from tests.make import SLICE

pytestmark = pytest.mark.django_db
RULES, PRICES = "/api/v1/pools/lab/rules/", "/api/v1/pools/lab/prices/"
LIMITS, BOOKINGS = "/api/v1/teams/vision/limits/", "/api/v1/reservations/"
PRICE: dict[str, Any] = {
    "resource_name": SLICE,
    "minor_units_per_unit_hour": 150,
    "currency": "EUR",
}


@pytest.fixture
def pool() -> Pool:
    return make.pool(slug="lab")


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.mark.parametrize("caller", CALLERS)
def test_everybody_reads_the_rules_and_administrators_set_them(
    pool: Pool, team: Team, caller: str
) -> None:
    browser = client(caller, team=team)
    reads = 401 if caller == "anonymous" else 200
    writes = {"anonymous": 401, "admin": 200}.get(caller, 403)

    assert browser.get(RULES).status_code == reads
    assert browser.get(PRICES).status_code == reads
    changes = {"longest_minutes": 60, "quiet_from": "22:00", "quiet_until": "06:00"}
    assert browser.patch(RULES, changes, format="json").status_code == writes
    assert browser.post(PRICES, PRICE, format="json").status_code == (
        201 if writes == 200 else writes
    )
    assert UnitPrice.objects.count() == (1 if writes == 200 else 0)


@pytest.mark.parametrize("caller", CALLERS)
def test_the_limits_of_a_team_are_seen_by_those_who_see_the_team(team: Team, caller: str) -> None:
    browser = client(caller, team=team)
    reads = {"anonymous": 401, "outsider": 404, "leaver": 404}.get(caller, 200)
    writes = 200 if caller == "admin" else 403 if reads == 200 else reads

    assert browser.get(LIMITS).status_code == reads
    changes = {"concurrent_units": 4, "budget_minor": 1000, "currency": "EUR"}
    assert browser.patch(LIMITS, changes, format="json").status_code == writes


def test_limits_say_what_is_used_and_left(pool: Pool, team: Team) -> None:
    admin = client("admin", team=team)
    changes = {"concurrent_units": 4, "gpu_hours_per_week": 10, "pools": ["lab"]}
    admin.patch(LIMITS, changes, format="json")
    make.reservation(of=pool, by=team, at=make.window(-1, 3), units=2)

    found = admin.get(LIMITS).json()

    assert (found["pools"], found["used"]["units_now"]) == (["lab"], 2)
    assert found["left"]["units_now"] == 2
    assert found["left"]["budget_minor"] is None
    assert 0 < found["used"]["gpu_hours"] + found["left"]["gpu_hours"] <= 10


@pytest.mark.parametrize(
    ("url", "body", "field", "code"),
    [
        (RULES, {"concurrent_units": 0}, "concurrent_units", "too_small"),
        (RULES, {"concurrent_units": -4}, "concurrent_units", "too_small"),
        (RULES, {"concurrent_units": "many"}, "concurrent_units", "invalid"),
        (RULES, {"quiet_from": "25:00"}, "quiet_from", "invalid"),
        (RULES, {"quiet_from": "01:00"}, "quiet_until", "quiet_hours_incomplete"),
        (RULES, {"time_zone": "Mars/Base"}, "time_zone", "unknown_time_zone"),
        (RULES, {"colour": "red"}, "colour", "unknown_field"),
        (LIMITS, {"budget_minor": 5}, "currency", "currency_missing"),
        (LIMITS, {"pools": ["nowhere"]}, "pools", "does_not_exist"),
    ],
)
def test_nonsense_is_refused_with_its_field(
    pool: Pool, team: Team, url: str, body: dict[str, object], field: str, code: str
) -> None:
    browser = client("admin", team=team)
    before = browser.get(url).json()

    answer = browser.patch(url, body, format="json")

    assert answer.status_code in {400, 422}
    assert [(p["field"], p["code"]) for p in answer.json()["details"]["problems"]] == [
        (field, code)
    ]
    assert {**browser.get(url).json(), "used": None} == {**before, "used": None}


def test_a_list_of_prices_costs_the_same_however_long(
    pool: Pool, team: Team, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = client("admin", team=team)
    for _ in range(5):
        browser.post(PRICES, PRICE, format="json")

    with django_assert_max_num_queries(5):
        assert len(browser.get(PRICES).json()["results"]) == 5


def test_an_approver_overrides_and_says_why(pool: Pool, team: Team) -> None:
    client("admin", team=team).patch(LIMITS, {"approval_above_units": 1}, format="json")
    manager = client_of(make.user(teams=[team], role=MembershipRole.MANAGER))
    body: dict[str, object] = {
        "pool": "lab",
        "team": "vision",
        "resource_name": SLICE,
        "units": 2,
        "starts_at": make.at(1).isoformat(),
        "ends_at": make.at(2).isoformat(),
    }

    refused = manager.post(BOOKINGS, body, format="json")
    unexplained = manager.post(BOOKINGS, {**body, "override": ["approval_needed"]}, format="json")
    booked = manager.post(
        BOOKINGS, {**body, "override": ["approval_needed"], "reason": "a demo"}, format="json"
    )

    (problem,) = refused.json()["details"]["problems"]
    assert (problem["limit"], problem["asked"], problem["nearest"]) == (1, 2, 1)
    assert problem["overridable_by"] == "manager"
    assert unexplained.json()["details"]["problems"][-1]["code"] == "reason_missing"
    assert (booked.status_code, booked.json()["overridden"]) == (201, ["approval_needed"])
