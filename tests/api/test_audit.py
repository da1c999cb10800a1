"""The audit trail and the history of a reservation over REST."""

from typing import Any

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.audit import selectors, services
from reservations import services as reservations
from tests import audits, make
from tests.api.clients import client_of

pytestmark = pytest.mark.django_db

URL = "/api/v1/audit/"


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def person(team: Team) -> User:
    return make.user(teams=[team], username="ada")


@pytest.fixture
def admin() -> APIClient:
    return client_of(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))


def record(action: str, **more: Any) -> None:
    with transaction.atomic():
        services.record(action, **{"subject": "thing:1", "actor": None, "at": make.NOON, **more})


def actions(client: APIClient, **asked: str) -> list[str]:
    answer = client.get(URL, asked)
    assert answer.status_code == 200, answer.json()
    return [each["action"] for each in answer.json()["results"] if each["action"][:2] == "t."]


def test_an_administrator_reads_the_trail_newest_first(
    admin: APIClient, team: Team, person: User
) -> None:
    record("t.first", team=team, actor=person, units=2)
    record("t.second")

    assert actions(admin) == ["t.second", "t.first"]
    assert admin.get(URL, {"action": "t.first"}).json()["results"][0] | {"id": 0} == {
        "id": 0,
        "at": "2026-03-01T12:00:00Z",
        "action": "t.first",
        "subject": "thing:1",
        "actor": "ada",
        "team": "vision",
        "data": {"units": 2},
    }


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"action": "t.a"}, ["t.a"]),
        ({"subject": "thing:2"}, ["t.b"]),
        ({"actor": "ada"}, ["t.c"]),
        ({"actor": "nobody"}, []),
        ({"team": "vision"}, ["t.d"]),
        ({"since": "2026-03-01T13:00:00Z"}, ["t.e"]),
        ({"until": "2026-03-01T12:00:01Z", "subject": "thing:2"}, ["t.b"]),
    ],
)
def test_it_can_be_narrowed(
    admin: APIClient, team: Team, person: User, asked: dict[str, str], found: list[str]
) -> None:
    record("t.a")
    record("t.b", subject="thing:2")
    record("t.c", actor=person)
    record("t.d", team=team)
    record("t.e", at=make.at(2))

    assert actions(admin, **asked) == found


def test_pages_go_on_where_the_one_before_ended(admin: APIClient) -> None:
    for number in range(5):
        record(f"t.{number}")
    first = admin.get(URL, {"limit": "2"}).json()
    record("t.meanwhile")
    second = admin.get(first["next"]).json()

    assert [each["action"] for each in (*first["results"], *second["results"])] == [
        "t.4",
        "t.3",
        "t.2",
        "t.1",
    ]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"actoin": "x"}, "actoin"),
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-03-01T12:00"}, "until"),
    ],
)
def test_a_wrong_filter_is_said(admin: APIClient, asked: dict[str, str], field: str) -> None:
    answer = admin.get(URL, asked)

    assert (answer.status_code, answer.json()["details"]["problems"][0]["field"]) == (400, field)


def test_a_manager_reads_what_happened_in_their_team_and_a_member_does_not(team: Team) -> None:
    record("t.ours", team=team)
    record("t.theirs", team=make.team())
    record("t.nobodys")
    manager = make.user(teams=[team], role=MembershipRole.MANAGER)

    assert actions(client_of(manager)) == ["t.ours"]
    assert actions(client_of(make.user(teams=[team]))) == []
    assert actions(client_of(make.user(organisation_role=OrganisationRole.FINANCE))) == []


@pytest.mark.parametrize("count", [1, 12])
def test_the_trail_costs_the_same_however_long(
    admin: APIClient,
    team: Team,
    person: User,
    count: int,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(count):
        record(f"t.{number}", team=team, actor=person)

    with django_assert_max_num_queries(3):
        actions(admin)


def test_the_head_is_for_administrators(admin: APIClient, person: User) -> None:
    audits.write(3)
    head = selectors.head()

    assert admin.get(f"{URL}head/").json() == {
        "position": head.position,
        "digest": head.digest.hex(),
    }
    assert client_of(person).get(f"{URL}head/").status_code == 403


def test_a_history_says_who_did_what_and_from_what_to_what(team: Team, person: User) -> None:
    booked = make.admitted(by=team, wish=make.wish(at=make.window(1, 5)))
    reservations.extend(reservation=booked, ends_at=make.at(6), actor=person, now=make.NOON)
    record("reservation.changed", subject=booked.subject, changes={"units": [1, 2]})
    client = client_of(person)

    answer = client.get(f"/api/v1/reservations/{booked.public_id}/history/").json()

    assert len(answer["results"]) == 3
    assert [each["what"] for each in answer["results"]] == ["Booked", "Extended", "Changed"]
    assert answer["results"][1] == {
        "at": "2026-03-01T12:00:00Z",
        "by": "ada",
        "action": "reservation.extended",
        "what": "Extended",
        "reason": "",
        "changes": [
            {
                "field": "ends_at",
                "name": "end",
                "from": "2026-03-01 17:00 UTC",
                "to": "2026-03-01 18:00 UTC",
            }
        ],
    }


@pytest.mark.parametrize("count", [1, 12])
def test_a_history_costs_the_same_however_long(
    team: Team, person: User, count: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    booked = make.reservation(by=team)
    for _ in range(count):
        record("reservation.changed", subject=booked.subject, actor=person)
    client = client_of(person)

    with django_assert_max_num_queries(5):
        answer = client.get(f"/api/v1/reservations/{booked.public_id}/history/")

    assert len(answer.json()["results"]) == count
