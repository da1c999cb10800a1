"""``/api/v1/usage/events/``: what gateways tell, whole batches, once."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from gpuaas.accounts import services as accounts
from gpuaas.accounts.models import MembershipRole, Team, TokenScope, User
from gpuaas.audit.models import AuditEvent
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation
from tests import make
from tests.api.clients import client_of
from tokenomics.models import UsageDay, UsageEntry

pytestmark = pytest.mark.django_db
URL = "/api/v1/usage/events/"


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def person(team: Team) -> User:
    return make.user(teams=[team])


@pytest.fixture
def running(team: Team) -> Reservation:
    """A booking that began an hour ago and ends in one."""
    now, hour = timezone.now(), timedelta(hours=1)
    return make.reservation(by=team, at=Window(now - hour, now + hour), state=State.ACTIVE)


def event(running: Reservation, **changes: Any) -> dict[str, Any]:
    began = running.starts_at + timedelta(minutes=1)
    given = {
        "id": "1",
        "reservation": str(running.public_id),
        "engine": "ollama",
        "model": "llama",
        "started_at": began.isoformat(),
        "ended_at": (began + timedelta(seconds=4)).isoformat(),
        "prompt_computed": 812,
        "generated": 230,
    }
    return {**given, **changes}


def tell(client: APIClient, *events: dict[str, Any], source: str = "gw") -> Any:
    return client.post(URL, {"source": source, "events": events}, format="json")


def problems(answer: Any) -> list[tuple[str, str]]:
    return [(p["field"], p["message"]) for p in answer.json()["details"]["problems"]]


def test_events_are_booked_once_however_often_they_are_told(
    person: User, running: Reservation
) -> None:
    client = client_of(person)

    first = tell(client, event(running), event(running, id="2", prompt_cached=0))
    again = tell(client, event(running), event(running, id="3"))

    assert (first.status_code, first.json()) == (200, {"accepted": 2, "known": 0})
    assert (again.status_code, again.json()) == (200, {"accepted": 1, "known": 1})
    kept = UsageEntry.objects.order_by("pk")[:2]
    assert [each.prompt_cached for each in kept] == [None, 0]  # unknown is not 0
    assert kept[0].source == "vision/gw"
    assert not kept[0].is_reading
    assert UsageDay.objects.get().generated == 3 * 230


def test_other_figures_for_the_same_event_are_refused_and_leave_a_trace(
    person: User, running: Reservation
) -> None:
    client = client_of(person)
    tell(client, event(running))

    answer = tell(client, event(running, id="new"), event(running, generated=231))

    assert (answer.status_code, answer.json()["code"]) == (409, "event_told_otherwise")
    assert UsageEntry.objects.count() == 1
    assert AuditEvent.objects.filter(action="usage.refused").count() == 1


def test_teams_do_not_share_event_ids(running: Reservation, person: User) -> None:
    other = make.team(slug="audio")
    theirs = make.reservation(by=other, at=running.window, state=State.ACTIVE)

    assert tell(client_of(person), event(running)).status_code == 200
    answer = tell(client_of(make.user(teams=[other])), event(theirs, generated=1))
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


def test_what_is_wrong_is_named_by_its_place_and_nothing_is_booked(
    person: User, running: Reservation
) -> None:
    later = (running.ends_at + timedelta(minutes=2)).isoformat()
    soon = (timezone.now() + timedelta(minutes=5)).isoformat()
    early = (running.starts_at - timedelta(minutes=5)).isoformat()
    nowhere = "00000000-0000-4000-8000-000000000000"

    answer = tell(
        client_of(person),
        event(running),
        event(running, id="2", reservation=nowhere),
        event(running, id="3", started_at=early),
        event(running, id="4", ended_at=later),
        event(running, id="5", ended_at=soon),
        event(running, id="6", ended_at=early),
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "events_refused")
    assert [field for field, _ in problems(answer)] == [
        "events.1.reservation",
        "events.2.started_at",
        "events.3.ended_at",
        "events.4.ended_at",
        "events.5.ended_at",
    ]
    assert not UsageEntry.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"generated": -1}, "events.1.generated"),
        ({"generated": 10**12 + 1}, "events.1.generated"),
        ({"generated": "NaN"}, "events.1.generated"),
        ({"generated": 1.5}, "events.1.generated"),
        ({"tokens": 5}, "events.1.tokens"),
        ({"id": ""}, "events.1.id"),
        ({"started_at": "yesterday"}, "events.1.started_at"),
        ({"model": "x" * 201}, "events.1.model"),
    ],
)
def test_a_bad_field_is_named_by_its_place(
    person: User, running: Reservation, changes: dict[str, Any], field: str
) -> None:
    answer = tell(client_of(person), event(running), event(running, **{"id": "2", **changes}))

    assert answer.status_code == 400
    assert [name for name, _ in problems(answer)] == [field]
    assert not UsageEntry.objects.exists()


def test_a_batch_is_bounded_and_not_empty(person: User, running: Reservation) -> None:
    client = client_of(person)

    assert tell(client).status_code == 400
    assert tell(client, *[event(running)] * 1001).status_code == 400


def test_a_booking_of_another_team_looks_like_none(running: Reservation) -> None:
    stranger = client_of(make.user(teams=[make.team()]))
    viewer = client_of(make.user(teams=[running.team], role=MembershipRole.VIEWER))

    answers = [tell(each, event(running)) for each in (stranger, viewer)]

    said = "there is no such booking of a team you book for"
    assert [problems(each) for each in answers] == [[("events.0.reservation", said)]] * 2


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        (TokenScope.METER, 200),
        (TokenScope.FULL, 200),
        (TokenScope.BOOK, 403),
        (TokenScope.READ, 403),
    ],
)
def test_a_token_for_it_tells_and_does_nothing_else(
    person: User, running: Reservation, scope: TokenScope, status: int
) -> None:
    now = timezone.now()
    _, text = accounts.create_token(
        person=person,
        name="gateway",
        expires_at=now + timedelta(days=1),
        longest=timedelta(days=365),
        now=now,
        scope=scope,
    )
    client = APIClient(headers={"Authorization": f"Bearer {text}"})

    assert tell(client, event(running)).status_code == status
    if scope == TokenScope.METER:
        assert client.get("/api/v1/reservations/").status_code == 403
        assert client.get("/api/v1/me/").status_code == 403
