"""What can be booked: free windows and other types, over REST, and that each can be had."""

from datetime import time
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from gpuaas.accounts.models import OrganisationRole, Team
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.models import Reservation
from reservations.services import offers
from tests import make
from tests.api.clients import client_of
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool() -> Pool:
    return make.pool(slug="lab", devices={SLICE: 2, GPU: 1})


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def ada(team: Team) -> APIClient:
    return client_of(make.user(teams=[team], username="ada"))


def ask(who: APIClient, what: str, **query: Any) -> Any:
    asked = {"team": "vision", "resource_name": SLICE, "units": 2, "minutes": 120, **query}
    return who.get(f"/api/v1/pools/lab/{what}/", asked)


def rule(pool: Pool, **changes: Any) -> None:
    root = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    services.set_pool_rules(pool=pool, changes=changes, actor=root, now=make.NOON)


def book(who: APIClient, chance: dict[str, Any]) -> Any:
    asked = ("pool", "resource_name", "units", "starts_at", "ends_at")
    shares = ("cpu_millicores", "memory_mib", "storage_gib")
    body = {"team": "vision", **{name: chance[name] for name in (*asked, *shares)}}
    return who.post("/api/v1/reservations/", body, format="json")


def test_windows_begin_where_room_begins(ada: APIClient, pool: Pool) -> None:
    make.reservation(of=pool, at=make.window(3, 5))
    make.reservation(of=pool, at=make.window(6, 9))

    windows = ask(ada, "free-windows").json()["windows"]

    assert [(each["starts_at"], each["free_until"]) for each in windows] == [
        ("2026-03-01T12:00:00Z", "2026-03-01T15:00:00Z"),
        ("2026-03-01T21:00:00Z", "2026-03-15T12:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("rules", "first"),
    [
        pytest.param({}, "2026-03-01T12:00:00Z", id="none"),
        pytest.param({"lead_time_minutes": 90}, "2026-03-01T13:30:00Z", id="lead-time"),
        pytest.param(
            {"quiet_from": time(11), "quiet_until": time(17)}, "2026-03-01T17:00:00Z", id="quiet"
        ),
    ],
)
@pytest.mark.parametrize("what", ["free-windows", "alternatives"])
def test_what_is_answered_can_be_booked(
    ada: APIClient, pool: Pool, rules: dict[str, Any], first: str, what: str
) -> None:
    rule(pool, **rules)

    chances = next(iter(ask(ada, what).json().values()))

    assert chances[0]["starts_at"] == first
    for chance in chances[:3]:
        booked = book(ada, chance)
        assert booked.status_code == 201, booked.data
        services.cancel(
            reservation=Reservation.objects.get(public_id=booked.data["id"]),
            actor=make.user(),
            now=make.NOON,
        )


def test_a_longer_booking_than_rules_allow_has_no_window(ada: APIClient, pool: Pool) -> None:
    rule(pool, longest_minutes=60)

    assert ask(ada, "free-windows").json() == {"windows": []}
    assert ask(ada, "alternatives").json() == {"alternatives": []}


def test_room_that_ends_before_rules_allow_a_start_is_left_out(ada: APIClient, pool: Pool) -> None:
    rule(pool, lead_time_minutes=120)
    make.reservation(of=pool, at=make.window(3, 5))

    windows = ask(ada, "free-windows").json()["windows"]

    assert [each["starts_at"] for each in windows] == ["2026-03-01T17:00:00Z"]


def test_what_is_longer_than_the_time_that_is_looked_at_has_no_window(
    ada: APIClient, pool: Pool
) -> None:
    found = ask(ada, "free-windows", minutes=120, until=make.at(1).isoformat())

    assert found.json() == {"windows": []}


def test_rules_that_point_ever_later_are_not_followed_for_ever(
    ada: APIClient, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule(pool, lead_time_minutes=90)
    monkeypatch.setattr(offers, "TRIES", 1)

    assert ask(ada, "free-windows").json() == {"windows": []}


def test_the_same_work_on_another_type_and_in_another_pool(ada: APIClient, pool: Pool) -> None:
    make.pool(slug="annex", devices={SLICE: 2})
    make.reservation(of=pool, at=make.window(0, 20))

    found = ask(ada, "alternatives").json()["alternatives"]

    assert {(each["pool"], each["resource_name"], each["is_smaller"]) for each in found} == {
        ("lab", GPU, False),
        ("lab", SLICE, True),
        ("annex", SLICE, False),
    }


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"resource_name": "nvidia.com/none"}, "resource_name", "unknown"),
        ({"units": 0}, "units", "min_value"),
        ({"minutes": 30_000}, "minutes", "max_value"),
        ({"until": make.at(-1).isoformat()}, "until", "window"),
        ({"until": make.at(24 * 400).isoformat()}, "until", "window"),
        ({"when": "soon"}, "when", "unknown_field"),
    ],
)
def test_a_question_that_makes_no_sense(
    ada: APIClient, pool: Pool, query: dict[str, Any], field: str, code: str
) -> None:
    answer = ask(ada, "free-windows", **query)

    assert answer.status_code == 400
    assert (field, code) in {
        (each["field"], each["code"]) for each in answer.data["details"]["problems"]
    }


@pytest.mark.parametrize("query", [{"team": "language"}, {"team": "nowhere"}])
def test_a_team_that_is_not_mine_is_not_there(
    ada: APIClient, pool: Pool, query: dict[str, Any]
) -> None:
    make.team(slug="language")

    assert ask(ada, "alternatives", **query).status_code == 404


def test_one_answer_costs_a_bounded_number_of_queries(
    ada: APIClient, pool: Pool, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for hour in range(0, 40, 3):
        make.reservation(of=pool, at=make.window(hour + 2, hour + 3))

    with django_assert_max_num_queries(60):
        assert len(ask(ada, "free-windows", minutes=60, limit=10).json()["windows"]) == 10
