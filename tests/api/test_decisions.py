"""What is held and not booked, over REST: approving, rejecting, taking, passing on, waiting."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from gpuaas.accounts.models import MembershipRole, Team
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.lifecycle import PendingOn, State
from reservations.models import Reservation
from sessions.models import SessionState
from tests import make
from tests.api.clients import client, client_of
from tests.make import SLICE

pytestmark = pytest.mark.django_db
BOOKINGS = "/api/v1/reservations/"


@pytest.fixture
def pool() -> Pool:
    return make.pool(slug="lab", devices={SLICE: 2})


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def member(team: Team) -> APIClient:
    return client_of(make.user(teams=[team], username="ada"))


@pytest.fixture
def manager(team: Team) -> APIClient:
    return client_of(make.user(teams=[team], role=MembershipRole.MANAGER))


def wish(**changes: object) -> dict[str, object]:
    return {
        "pool": "lab",
        "team": "vision",
        "resource_name": SLICE,
        "units": 2,
        "starts_at": make.at(1).isoformat(),
        "ends_at": make.at(2).isoformat(),
        **changes,
    }


def limit(team: Team, **changes: Any) -> None:
    url = f"/api/v1/teams/{team.slug}/limits/"
    assert client("admin", team=team).patch(url, changes, format="json").status_code == 200


def say(who: APIClient, word: str, number: str, **body: object) -> Any:
    return who.post(f"{BOOKINGS}{number}/{word}/", body, format="json")


def test_from_asking_to_approval(
    pool: Pool, team: Team, member: APIClient, manager: APIClient
) -> None:
    limit(team, approval_above_units=1)

    asked = member.post(BOOKINGS, wish(), format="json")

    found = asked.json()
    assert (asked.status_code, found["state"], found["pending_on"], found["approver"]) == (
        201,
        "PENDING",
        "approver",
        "manager",
    )
    assert found["held_until"] == found["starts_at"]
    (waiting,) = manager.get(BOOKINGS, {"to_approve": "true"}).json()["results"]
    assert waiting["id"] == found["id"]
    assert member.get(BOOKINGS, {"to_approve": "true"}).json()["results"] == []
    assert len(member.get(BOOKINGS, {"pending_on": "approver"}).json()["results"]) == 1
    assert member.get(BOOKINGS, {"pending_on": "requester"}).json()["results"] == []
    assert say(member, "approve", found["id"]).json()["code"] == "not_yours_to_approve"
    approved = say(manager, "approve", found["id"], reason="the release").json()
    assert (approved["state"], approved["pending_on"], approved["held_until"]) == (
        "APPROVED",
        "",
        None,
    )
    again = say(manager, "approve", found["id"])
    assert (again.status_code, again.json()["code"]) == (409, "not_waiting_for_this")


def test_a_rejection_says_why(
    pool: Pool, team: Team, member: APIClient, manager: APIClient
) -> None:
    limit(team, concurrent_units=1)
    refused = member.post(BOOKINGS, wish(), format="json")
    assert refused.status_code == 422

    number = member.post(BOOKINGS, wish(ask_approval=True), format="json").json()["id"]

    assert say(manager, "reject", number).status_code == 400
    assert say(manager, "reject", number, colour="red").status_code == 400
    rejected = say(manager, "reject", number, reason="next week").json()
    assert rejected["state"] == "CANCELED"
    assert "next week" in rejected["state_reason"]


def test_from_waiting_in_line_to_the_booking(
    pool: Pool, team: Team, member: APIClient, manager: APIClient
) -> None:
    taken = make.reservation(of=pool, units=2)
    assert member.post(BOOKINGS, wish(), format="json").json()["code"] == "pool_full"

    asked = member.post(BOOKINGS, wish(waitlist=True), format="json")
    first = asked.json()
    second = manager.post(BOOKINGS, wish(waitlist=True), format="json").json()

    assert (asked.status_code, first["state"], first["held_until"]) == (201, "WAITLISTED", None)
    assert (first["queue_position"], second["queue_position"]) == (1, 2)
    assert say(member, "confirm", first["id"]).json()["code"] == "not_waiting_for_this"
    services.cancel(reservation=taken, actor=taken.requested_by, now=make.NOON)
    services.tend(now=make.NOON)
    held = member.get(f"{BOOKINGS}{first['id']}/").json()
    assert (held["state"], held["pending_on"], held["queue_position"]) == (
        "PENDING",
        "requester",
        None,
    )
    assert say(member, "confirm", first["id"]).json()["state"] == "APPROVED"
    assert manager.get(f"{BOOKINGS}{second['id']}/").json()["queue_position"] == 1


def test_what_is_passed_on_is_canceled(pool: Pool, team: Team, member: APIClient) -> None:
    held = make.reservation(of=pool, by=team, state=State.PENDING, pending_on=PendingOn.REQUESTER)

    assert say(member, "pass", str(held.public_id)).json()["state"] == "CANCELED"


def test_what_has_lapsed_cannot_be_taken(pool: Pool, team: Team, member: APIClient) -> None:
    held = make.reservation(
        of=pool, by=team, state=State.PENDING, pending_on=PendingOn.REQUESTER, held_until=make.NOON
    )

    answer = say(member, "confirm", str(held.public_id))

    assert (answer.status_code, answer.json()["code"]) == (409, "hold_lapsed")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"waitlist": True, "override": ["approval_needed"], "reason": "x"}, "waitlist"),
        ({"waitlist": "perhaps"}, "waitlist"),
        ({"ask_approval": 7}, "ask_approval"),
    ],
)
def test_nonsense_is_refused_with_its_field(
    changes: dict[str, object], field: str, pool: Pool, team: Team, member: APIClient
) -> None:
    answer = member.post(BOOKINGS, wish(**changes), format="json")

    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["details"]["problems"]] == [field]
    assert not Reservation.objects.exists()


def test_a_list_costs_the_same_however_many_wait(
    pool: Pool,
    team: Team,
    member: APIClient,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(6):
        make.reservation(of=pool, by=team, state=State.WAITLISTED)

    with django_assert_max_num_queries(6):
        found = member.get(BOOKINGS, {"state": "WAITLISTED"}).json()["results"]
    assert sorted(each["queue_position"] for each in found) == [1, 2, 3, 4, 5, 6]


def test_opening_a_workspace_says_where_it_is(pool: Pool, team: Team, member: APIClient) -> None:
    running = make.reservation(of=pool, by=team, at=make.window(-1, 2), state=State.ACTIVE)
    number = str(running.public_id)
    assert say(member, "open", number).json()["code"] == "stale_session"
    session = make.session(of=running, state=SessionState.READY)

    answer = say(member, "open", number)

    assert answer.json() == {"url": f"https://{session.namespace}.apps.example.com/"}
    session.refresh_from_db()
    assert session.visited_at == make.NOON
