"""``/api/v1/sessions/``: what runs, how far it is, and for whom."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from gpuaas.accounts.models import Team
from reservations.lifecycle import State
from sessions.models import SessionEvent, SessionState, WorkspaceSession
from tests import make
from tests.api.clients import CALLERS, client, client_of

pytestmark = pytest.mark.django_db

SESSIONS = "/api/v1/sessions/"


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def member(team: Team) -> APIClient:
    return client_of(make.user(teams=[team]))


def running(team: Team, *, state: SessionState = SessionState.READY, **times: Any) -> Any:
    of = make.reservation(by=team, at=make.window(0, 4), state=State.ACTIVE)
    session = make.session(of=of, state=state)
    WorkspaceSession.objects.filter(pk=session.pk).update(**times)
    return session


@pytest.mark.parametrize("caller", CALLERS)
def test_sessions_are_seen_by_who_sees_the_booking(team: Team, caller: str) -> None:
    session = running(team)
    who = client(caller, team=team)
    listed, one = who.get(SESSIONS), who.get(f"{SESSIONS}{session.public_id}/")

    if caller == "anonymous":
        assert (listed.status_code, one.status_code) == (401, 401)
        return
    hidden = caller in {"outsider", "leaver"}
    assert [each["id"] for each in listed.json()["results"]] == (
        [] if hidden else [str(session.public_id)]
    )
    assert one.status_code == (404 if hidden else 200)


@pytest.mark.parametrize(
    ("state", "times", "progress"),
    [
        (SessionState.PROVISIONING, {}, ["current", "todo", "todo"]),
        (SessionState.READY, {"ready_at": make.NOON}, ["done", "current", "todo"]),
        (SessionState.STOPPING, {"ready_at": make.NOON}, ["done", "done", "current"]),
        (SessionState.STOPPING, {}, ["failed", "todo", "current"]),
        (
            SessionState.ENDED,
            {"ready_at": make.NOON, "ended_at": make.NOON},
            ["done", "done", "done"],
        ),
    ],
)
def test_the_steps_say_how_far_it_is(
    team: Team, member: APIClient, state: SessionState, times: Any, progress: list[str]
) -> None:
    session = running(team, state=state, **times)
    SessionEvent.objects.create(session=session, at=make.NOON, message="The workspace is up")

    found = member.get(f"{SESSIONS}{session.public_id}/").json()

    assert found["phase"] == state.value
    assert [step["progress"] for step in found["steps"]] == progress
    assert [event["message"] for event in found["events"]] == ["The workspace is up"]
    assert (found["url"] is not None) == (state == SessionState.READY)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"phase": "READY"}, 1),
        ({"phase": "ENDED"}, 0),
        ({"team": "vision"}, 1),
        ({"team": "other"}, 0),
        ({"pool": "nowhere"}, 0),
        ({"since": (make.NOON - timedelta(hours=1)).isoformat()}, 1),
        ({"until": make.NOON.isoformat()}, 0),
    ],
)
def test_filters_narrow_the_list(
    team: Team, member: APIClient, asked: dict[str, str], found: int
) -> None:
    running(team)

    assert len(member.get(SESSIONS, asked).json()["results"]) == found


@pytest.mark.parametrize(
    "asked",
    [
        {"phase": "ready"},
        {"phase": ["READY", "ENDED"]},
        {"phase": ""},
        {"since": "noon"},
        {"since": ""},
        {"colour": "red"},
    ],
)
def test_a_wrong_filter_is_said(member: APIClient, asked: dict[str, Any]) -> None:
    assert member.get(SESSIONS, asked).status_code == 400


@pytest.mark.parametrize("sessions", [1, 5])
def test_a_page_costs_the_same_however_long(
    team: Team, member: APIClient, sessions: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(sessions):
        running(team)

    with django_assert_num_queries(3):  # browser's session, person, page
        page = member.get(SESSIONS, {"limit": "3"}).json()

    assert len(page["results"]) == min(sessions, 3)
    assert (page["next"] is not None) == (sessions > 3)
