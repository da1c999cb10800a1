"""``/api/v1/teams/``.  Who may ask what, the permission matrix says."""

import pytest
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, Team
from gpuaas.api import fallbacks
from tests import make
from tests.api.clients import client_of

pytestmark = pytest.mark.django_db
MEMBERS = "/api/v1/teams/vision/members/"


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def manager(team: Team) -> Client:
    return client_of(make.user(teams=[team], role=MembershipRole.MANAGER))


def test_a_member_is_let_in_changed_and_taken_out(manager: Client) -> None:
    make.user(username="ada")

    made = manager.post(MEMBERS, {"person": "ada@example.com", "role": "member"}, format="json")
    address = f"{MEMBERS}{made.json()['id']}/"
    changed = manager.patch(address, {"role": "viewer"}, format="json")
    gone = manager.delete(address)

    assert (made.status_code, changed.status_code, gone.status_code) == (201, 200, 204)
    assert (changed.json()["role"], changed.json()["source"]) == ("viewer", "manual")
    assert len(manager.get(MEMBERS).json()["results"]) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"person": "nobody", "role": "member"}, "unknown"),
        ({"person": "ada", "role": "boss"}, "invalid_choice"),
        ({"person": "ada", "role": "member", "rolle": 1}, "unknown_field"),
    ],
)
def test_what_cannot_be_read_is_refused(
    manager: Client, body: dict[str, object], code: str
) -> None:
    make.user(username="ada")

    answer = manager.post(MEMBERS, body, format="json")

    assert answer.status_code == 400
    assert code in {problem["code"] for problem in answer.json()["details"]["problems"]}


def test_the_lists_cost_the_same_however_long(
    team: Team, manager: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(8):
        make.user(teams=[team])

    with django_assert_max_num_queries(5):
        assert len(manager.get(MEMBERS).json()["results"]) == 9
    with django_assert_max_num_queries(4):
        manager.get("/api/v1/teams/")


@pytest.mark.parametrize("address", ["/api/v1/nothing/", "/api/", "/api/v2/teams/"])
def test_an_address_that_is_not_there_is_said_in_json(client: Client, address: str) -> None:
    answer = client.get(address)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_people_still_get_a_page(client: Client) -> None:
    assert b"<html" in client.get("/nothing/").content


@pytest.mark.parametrize(("address", "is_json"), [("/api/v1/pools/", True), ("/", False)])
def test_what_broke_is_said_in_the_form_of_the_address(address: str, is_json: bool) -> None:
    answer = fallbacks.broken(RequestFactory().get(address))

    assert answer.status_code == 500
    assert (answer.headers["Content-Type"] == "application/json") is is_json


def test_members_come_in_pages_by_name() -> None:
    team = make.team(slug="large")
    for number in range(5):
        make.user(teams=[team], username=f"person-{number}")
    asks = client_of(make.user(teams=[team], username="zoe"))
    seen: list[str] = []
    address: str | None = "/api/v1/teams/large/members/?limit=2"

    while address:
        page = asks.get(address).json()
        seen += [each["person"] for each in page["results"]]
        address = page["next"]

    assert seen == [*(f"person-{number}" for number in range(5)), "zoe"]
