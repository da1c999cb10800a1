"""Shortening and moving over REST, and the version that a change is made of."""

from http import HTTPStatus
from typing import Any

import pytest
from rest_framework.test import APIClient

from gpuaas.accounts.models import Team
from gpuaas.inventory.models import Pool
from reservations.lifecycle import State
from reservations.models import Reservation
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


@pytest.fixture
def booked(pool: Pool, team: Team) -> Reservation:
    return make.reservation(of=pool, by=team, at=make.window(2, 6))


def say(who: APIClient, word: str, of: Reservation, tag: str = "*", **body: Any) -> Any:
    headers = {"If-Match": tag}
    url = f"/api/v1/reservations/{of.public_id}/{word}/"
    return who.post(url, body, format="json", headers=headers)


def test_shorter(ada: APIClient, booked: Reservation) -> None:
    answer = say(ada, "shorten", booked, ends_at=make.at(4).isoformat())

    assert answer.status_code == HTTPStatus.OK
    assert answer.data["ends_at"] == "2026-03-01T16:00:00Z"


def test_a_new_start_keeps_the_length_and_a_new_type_has_its_share(
    ada: APIClient, booked: Reservation
) -> None:
    answer = say(ada, "move", booked, starts_at=make.at(10).isoformat(), resource_name=GPU)

    assert answer.status_code == HTTPStatus.OK
    assert answer.data["id"] == str(booked.public_id)
    assert (answer.data["ends_at"], answer.data["resource_name"]) == ("2026-03-02T02:00:00Z", GPU)
    assert answer.data["memory_mib"] > booked.memory_mib


def test_another_pool(ada: APIClient, booked: Reservation) -> None:
    make.pool(slug="annex", devices={SLICE: 1})

    assert say(ada, "move", booked, pool="annex").data["pool"] == "annex"


def test_every_change_is_another_version(ada: APIClient, booked: Reservation) -> None:
    first = ada.get(f"/api/v1/reservations/{booked.public_id}/")["ETag"]

    changed = say(ada, "move", booked, first, starts_at=make.at(3).isoformat())

    assert changed.status_code == HTTPStatus.OK
    assert changed["ETag"] != first
    assert ada.get(f"/api/v1/reservations/{booked.public_id}/")["ETag"] == changed["ETag"]


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("cancel", {}),
        ("give-back", {}),
        ("extend", {"as_much_as_possible": True}),
        ("shorten", {"ends_at": make.at(5).isoformat()}),
        ("move", {"purpose": "other"}),
        ("flag/accept", {"offer": "any"}),
    ],
)
def test_who_looked_at_another_version_changes_nothing(
    ada: APIClient, booked: Reservation, word: str, body: dict[str, Any]
) -> None:
    answer = say(ada, word, booked, '"99", W/"98"', **body)

    assert answer.status_code == HTTPStatus.PRECONDITION_FAILED
    assert (answer.data["code"], answer.data["details"]["version"]) == ("changed_meanwhile", 1)
    assert answer.data["details"]["state"] == State.APPROVED
    assert Reservation.objects.get().version == 1


@pytest.mark.parametrize("tag", ['"1"', '"7", W/"1"', "*"])
def test_who_looked_at_this_one_may_change_it(
    ada: APIClient, booked: Reservation, tag: str
) -> None:
    assert say(ada, "cancel", booked, tag).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("word", "body", "field", "code"),
    [
        ("shorten", {}, "ends_at", "required"),
        ("shorten", {"ends_at": "2026-03-01T16:00:00"}, "ends_at", "naive"),
        ("shorten", {"ends_at": make.at(7).isoformat()}, "ends_at", "not_shorter"),
        ("move", {}, "starts_at", "nothing_to_change"),
        ("move", {"pool": "nowhere"}, "pool", "unknown"),
        ("move", {"team": "language"}, "team", "unknown_field"),
        ("move", {"units": 0}, "units", "min_value"),
        ("move", {"resource_name": "nvidia.com/none"}, "resource_name", "unknown_type"),
        ("move", {"starts_at": make.at(-1).isoformat()}, "starts_at", "window_in_the_past"),
    ],
)
def test_a_mistake_is_said_with_its_field(
    ada: APIClient,
    booked: Reservation,
    word: str,
    body: dict[str, Any],
    field: str,
    code: str,
) -> None:
    answer = say(ada, word, booked, **body)

    assert 400 <= answer.status_code < 500
    assert (field, code) in {
        (each["field"], each["code"]) for each in answer.data["details"]["problems"]
    }
    assert Reservation.objects.get().version == 1
