"""Idempotency-Key: sent again, done once."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from gpuaas import tasks
from gpuaas.accounts.models import ApiToken, OrganisationRole, Team, User
from gpuaas.api import once
from gpuaas.api.v1 import reservations as view
from gpuaas.idempotency import services
from gpuaas.idempotency.models import KeyedRequest
from gpuaas.inventory.models import Pool
from reservations.models import Reservation
from tests import make
from tests.api.clients import client_of
from tests.make import SLICE

pytestmark = pytest.mark.django_db
RESERVATIONS = "/api/v1/reservations/"
TOKENS = "/api/v1/tokens/"
TEAMS = "/api/v1/teams/"
KEY = {"Idempotency-Key": "a try of mine"}
WISH = {
    "pool": "lab",
    "team": "vision",
    "resource_name": SLICE,
    "units": 2,
    "starts_at": "2026-03-01T13:00:00Z",
    "ends_at": "2026-03-01T17:00:00Z",
}


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture(autouse=True)
def pool() -> Pool:
    return make.pool(slug="lab", devices={SLICE: 4})


@pytest.fixture
def ada(team: Team) -> User:
    return make.user(teams=[team], username="ada")


@pytest.fixture
def member(ada: User) -> APIClient:
    return client_of(ada)


@pytest.fixture
def admin() -> APIClient:
    return client_of(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))


def test_a_request_sent_again_is_answered_as_before(member: APIClient) -> None:
    first = member.post(RESERVATIONS, WISH, format="json", headers=KEY)
    again = member.post(RESERVATIONS, WISH, format="json", headers=KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert (first.headers.get(once.REPLAYED), again.headers[once.REPLAYED]) == (None, "true")
    assert Reservation.objects.count() == 1


def test_the_etag_comes_again_whatever_happened_since(member: APIClient, team: Team) -> None:
    reservation = make.reservation(by=team)
    cancel = f"{RESERVATIONS}{reservation.public_id}/cancel/"

    first = member.post(cancel, {}, format="json", headers=KEY)
    Reservation.objects.update(state_reason="looked at since")
    again = member.post(cancel, {}, format="json", headers=KEY)

    assert first.status_code == again.status_code == 200
    assert first.headers["ETag"] == again.headers["ETag"]


def test_a_refusal_is_an_answer(member: APIClient) -> None:
    much = {**WISH, "units": 5}

    first = member.post(RESERVATIONS, much, format="json", headers=KEY)
    make.pool(slug="big", devices={SLICE: 8})
    again = member.post(RESERVATIONS, much, format="json", headers=KEY)

    assert first.status_code == again.status_code >= 400
    assert first.content == again.content
    assert again.headers[once.REPLAYED] == "true"


@pytest.mark.parametrize(
    ("address", "changed", "headers"),
    [
        (RESERVATIONS, {"units": 1}, {}),
        (f"{RESERVATIONS}?x=1", {}, {}),
        (RESERVATIONS, {}, {"If-Match": '"7"'}),
    ],
)
def test_a_key_is_of_one_request(
    member: APIClient, address: str, changed: dict[str, Any], headers: dict[str, str]
) -> None:
    member.post(RESERVATIONS, WISH, format="json", headers=KEY)

    other = member.post(address, {**WISH, **changed}, format="json", headers={**KEY, **headers})

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Reservation.objects.count() == 1


def test_a_key_is_ones_own_and_of_one_address(
    member: APIClient, team: Team, admin: APIClient
) -> None:
    neighbour = client_of(make.user(teams=[team], username="mona"))
    mine = member.post(RESERVATIONS, WISH, format="json", headers=KEY)
    theirs = neighbour.post(RESERVATIONS, WISH, format="json", headers=KEY)
    made = [admin.post(TEAMS, {"name": n, "slug": n}, format="json") for n in ("one", "two")]

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]
    assert [each.status_code for each in made] == [201, 201]


def test_a_request_in_progress_is_not_done_beside_itself(member: APIClient) -> None:
    member.post(RESERVATIONS, WISH, format="json", headers=KEY)
    KeyedRequest.objects.update(status=None, busy_until=make.NOON + timedelta(seconds=1))

    response = member.post(RESERVATIONS, WISH, format="json", headers=KEY)

    assert (response.status_code, response.json()["code"]) == (409, "idempotency_key_in_use")
    assert response.headers["Retry-After"] == "1"


def test_when_its_process_died_the_next_try_finds_what_was_booked(member: APIClient) -> None:
    first = member.post(RESERVATIONS, WISH, format="json", headers=KEY)
    KeyedRequest.objects.update(status=None, body=None, busy_until=make.NOON)

    again = member.post(RESERVATIONS, WISH, format="json", headers=KEY)

    assert again.status_code == 201
    assert again.json() == first.json()
    assert once.REPLAYED not in again.headers
    assert Reservation.objects.count() == 1
    assert KeyedRequest.objects.get().tries == 2


def test_a_mistake_of_ours_is_not_kept_and_what_was_booked_is_found(
    member: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    member.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(view, "_body", lambda _: 1 / 0)
        first = member.post(RESERVATIONS, WISH, format="json", headers=KEY)
    again = member.post(RESERVATIONS, WISH, format="json", headers=KEY)

    assert (first.status_code, again.status_code) == (500, 201)
    assert Reservation.objects.count() == 1


def test_what_broke_half_way_is_undone_with_its_answer(
    admin: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.raise_request_exception = False
    body = {"name": "Speech", "slug": "speech"}
    with monkeypatch.context() as broken:
        broken.setattr(once, "_keep", lambda *_, **__: 1 / 0)
        first = admin.post(TEAMS, body, format="json", headers=KEY)
    assert first.status_code == 500
    assert not Team.objects.filter(slug="speech").exists()

    again = admin.post(TEAMS, body, format="json", headers=KEY)

    assert again.status_code == 201


def test_who_was_overtaken_undoes_what_they_did(
    admin: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So slow that somebody else took it over, and is doing it."""
    keep = services.keep

    def overtaken(request: KeyedRequest, **answer: Any) -> None:
        KeyedRequest.objects.update(tries=2)
        keep(request, **answer)

    monkeypatch.setattr(services, "keep", overtaken)

    response = admin.post(TEAMS, {"name": "S", "slug": "s"}, format="json", headers=KEY)

    assert (response.status_code, response.json()["code"]) == (409, "idempotency_key_in_use")
    assert not Team.objects.filter(slug="s").exists()


def test_a_secret_is_shown_once_and_kept_nowhere(member: APIClient) -> None:
    body = {"name": "ci", "expires_at": "2026-03-02T12:00:00Z"}
    first = member.post(TOKENS, body, format="json", headers=KEY)
    again = member.post(TOKENS, body, format="json", headers=KEY)

    assert first.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "answer_not_kept")
    assert ApiToken.objects.count() == 1
    assert KeyedRequest.objects.get().body is None
    secret = first.json()["token"].rpartition("_")[2]
    kept = KeyedRequest.objects.values().get()
    assert secret not in json.dumps(kept, default=str)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb", "a\x7fb", "ü"])
def test_a_malformed_key_is_refused(member: APIClient, key: str) -> None:
    response = member.post(RESERVATIONS, WISH, format="json", HTTP_IDEMPOTENCY_KEY=key)

    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_malformed")
    assert not Reservation.objects.exists()


def test_a_form_with_a_key_is_no_json(member: APIClient) -> None:
    for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        response = member.post(RESERVATIONS, b"x=1", content_type=kind, headers=KEY)

        assert response.status_code == 415


def test_without_a_key_nothing_is_asked_and_with_one_little(
    admin: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    def queries(slug: str, headers: dict[str, str]) -> list[str]:
        with CaptureQueriesContext(connection) as found:
            admin.post(TEAMS, {"name": slug, "slug": slug}, format="json", headers=headers)
        return [each["sql"] for each in found.captured_queries]

    without, first, again = queries("a", {}), queries("b", KEY), queries("b", KEY)

    assert not any("idempotency" in each for each in without)
    assert sum("idempotency" in each for each in first) == 2
    assert sum("idempotency" in each for each in again) == 2
    assert len(first) <= len(without) + 2 + 4  # savepoints of this test
    with django_assert_max_num_queries(8):
        queries("b", KEY)


def test_a_key_is_forgotten_after_a_day(
    member: APIClient, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = member.post(RESERVATIONS, WISH, format="json", headers=KEY)
    old = KeyedRequest.objects.get()
    for age in (timedelta(hours=24), timedelta(hours=24, seconds=1)):
        old.pk, old.digest, old.created_at = None, str(age), make.NOON - age
        old.save()
    monkeypatch.setattr("gpuaas.tasks.timezone.now", lambda: make.NOON)
    monkeypatch.setattr(services, "FORGOTTEN_AT_ONCE", 1)

    tasks.forget_keys()
    again = member.post(RESERVATIONS, WISH, format="json", headers=KEY)

    assert KeyedRequest.objects.count() == 2
    assert again.json() == first.json()


def test_who_claims_finds_what_was_just_forgotten_in_use(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"person": ada, "digest": "d", "fingerprint": "f", "now": make.NOON}
    services.claim(**asked)  # type: ignore[arg-type]  # as the names say
    monkeypatch.setattr(type(KeyedRequest.objects), "filter", lambda *_, **__: Team.objects.none())

    with pytest.raises(services.KeyInUse):
        services.claim(**asked)  # type: ignore[arg-type]  # as the names say


def test_who_is_second_to_take_over_finds_it_in_use(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.claim(person=ada, digest="d", fingerprint="f", now=make.NOON)
    somebody_else_was_first = KeyedRequest.objects.none()
    monkeypatch.setattr(services, "_mine", lambda _: somebody_else_was_first)

    with pytest.raises(services.KeyInUse):
        services.claim(person=ada, digest="d", fingerprint="f", now=make.NOON + services.BUSY_FOR)

    assert KeyedRequest.objects.get().tries == 1
