"""Notices, preferences and webhooks over REST."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from gpuaas.accounts.models import Team, User
from gpuaas.notifications import services
from gpuaas.notifications.models import Notice, Webhook
from tests import make
from tests.api.clients import client, client_of
from tests.notifications.tellers import announce

pytestmark = pytest.mark.django_db

URL = "/api/v1/notices/"


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def person(team: Team) -> User:
    return make.user(teams=[team])


@pytest.fixture
def ours(person: User) -> APIClient:
    return client_of(person)


@pytest.fixture
def notice(team: Team, person: User) -> Notice:
    announce(team=team, to=person)
    services.fan_out(now=make.NOON)
    return Notice.objects.get()


def test_one_sees_what_one_was_told(ours: APIClient, notice: Notice) -> None:
    answer = ours.get(URL)

    assert answer.json()["results"] == [
        {
            "id": notice.pk,
            "event": "reservation.failed",
            "subject": notice.message.subject,
            "team": "vision",
            "title": "Failed: Your booking",
            "body": "The node lost power. Its time is free again: you can book anew.",
            "link": "http://127.0.0.1:8000/reservations/8dcd9018-01cf-4716-a2cd-f1e36670ebca/",
            "created_at": "2026-03-01T12:00:00Z",
            "read_at": None,
        }
    ]


@pytest.mark.parametrize("who", ["member", "outsider", "admin", "leaver"])
def test_another_persons_notice_is_not_there(who: str, team: Team, notice: Notice) -> None:
    caller = client(who, team=team)

    assert len(caller.get(URL).json()["results"]) == 0
    assert caller.post(f"{URL}{notice.pk}/read/").status_code == 404


@pytest.mark.parametrize("path", ["", "preferences/", "webhook/", "webhook/vision/"])
def test_nobody_reads_without_logging_in(path: str, team: Team) -> None:
    assert client("anonymous", team=team).get(URL + path).status_code in {401, 403}


def test_what_was_read_is_not_unread_any_more(ours: APIClient, notice: Notice) -> None:
    assert len(ours.get(URL, {"unread": "true"}).json()["results"]) == 1

    answer = ours.post(f"{URL}{notice.pk}/read/")

    assert answer.json()["read_at"] == "2026-03-01T12:00:00Z"
    assert len(ours.get(URL, {"unread": "true"}).json()["results"]) == 0
    assert ours.post(f"{URL}read/").json() == {"marked": 0}


def test_a_misspelled_filter_is_refused(ours: APIClient) -> None:
    assert ours.get(URL, {"unred": "true"}).status_code == 400


def test_a_list_costs_the_same_however_long(
    ours: APIClient,
    team: Team,
    person: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(30):
        announce(team=team, to=person, key=str(number))
    services.fan_out(now=make.NOON)

    with django_assert_max_num_queries(4):
        assert len(ours.get(URL).json()["results"]) == 30


# --- preferences -------------------------------------------------------------------------------


def test_a_preference_is_kept(ours: APIClient) -> None:
    cell = {"event": "reservation.failed", "channel": "email", "is_on": False}

    answer = ours.patch(f"{URL}preferences/", cell, format="json")

    assert answer.status_code == 200
    assert cell in ours.get(f"{URL}preferences/").json()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"event": "reservation.teleported"}, 400),
        ({"channel": "pigeon"}, 400),
        ({"is_on": "perhaps"}, 400),
        ({"person": 1}, 400),
        ({"event": "device.failed"}, 422),
    ],
)
def test_a_preference_for_nothing_is_refused(
    ours: APIClient, change: dict[str, Any], status: int
) -> None:
    cell = {"event": "reservation.failed", "channel": "email", "is_on": False, **change}

    assert ours.patch(f"{URL}preferences/", cell, format="json").status_code == status


# --- webhooks ----------------------------------------------------------------------------------


def test_ones_webhook_is_set_replaced_and_removed(ours: APIClient) -> None:
    def put(url: str) -> Any:
        return ours.put(f"{URL}webhook/", {"url": url}, format="json").json()

    first = put("https://hooks.example.com/a")
    second = put("https://hooks.example.com/b")

    assert first["secret"] != second["secret"]
    assert ours.get(f"{URL}webhook/").json() == second
    assert ours.delete(f"{URL}webhook/").status_code == 204
    assert ours.delete(f"{URL}webhook/").status_code == 204
    assert ours.get(f"{URL}webhook/").json()["url"] is None


def test_an_address_inside_is_refused(ours: APIClient) -> None:
    answer = ours.put(f"{URL}webhook/", {"url": "https://169.254.169.254/latest/"}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (422, "webhook_refused")
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    ("who", "status"),
    [("manager", 200), ("member", 404), ("viewer", 404), ("outsider", 404), ("leaver", 404)],
)
def test_a_teams_webhook_is_its_managers(who: str, status: int, team: Team) -> None:
    caller = client(who, team=team)
    body = {"url": "https://hooks.example.com/team"}

    answers = [
        caller.put(f"{URL}webhook/vision/", body, format="json").status_code,
        caller.get(f"{URL}webhook/vision/").status_code,
    ]

    assert answers == [status, status]
    assert Webhook.objects.filter(team=team).count() == (1 if status == 200 else 0)


def test_the_service_asks_too(team: Team, person: User) -> None:
    with pytest.raises(services.NotTheManager):
        services.set_webhook(actor=person, team=team, url="https://a.example", now=make.NOON)
