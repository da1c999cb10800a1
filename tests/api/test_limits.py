"""Scopes of tokens, and how often one person asks."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from gpuaas.accounts import services
from gpuaas.accounts.models import MembershipRole, TokenScope, User
from gpuaas.api import limits
from reservations.models import Reservation
from tests import make
from tests.api.clients import CheckedClient
from tests.make import SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return make.user(teams=[make.team(slug="vision")], role=MembershipRole.MANAGER)


def program(person: User, scope: TokenScope) -> Client:
    _, text = services.create_token(
        person=person,
        name=f"for {scope}",
        expires_at=make.at(24),
        longest=timedelta(days=365),
        now=make.NOON,
        scope=scope,
    )
    return CheckedClient(headers={"Authorization": f"Bearer {text}"})


def book(client: Any) -> Any:
    wish = {
        "pool": make.pool().slug,
        "team": "vision",
        "resource_name": SLICE,
        "units": 1,
        "starts_at": make.at(1).isoformat(),
        "ends_at": make.at(2).isoformat(),
    }
    return client.post("/api/v1/reservations/", wish, content_type="application/json")


@pytest.mark.parametrize(
    ("scope", "looking", "booking", "managing"),
    [
        (TokenScope.READ, 200, 403, 403),
        (TokenScope.BOOK, 200, 201, 403),
        (TokenScope.FULL, 200, 201, 201),
        (TokenScope.METER, 403, 403, 403),
    ],
)
def test_a_token_does_what_its_scope_includes(
    person: User, scope: TokenScope, looking: int, booking: int, managing: int
) -> None:
    client = program(person, scope)
    make.user(username="newcomer")

    assert client.get("/api/v1/reservations/").status_code == looking
    booked = book(client)
    assert booked.status_code == booking
    assert Reservation.objects.count() == (booking == 201)
    member = client.post(
        "/api/v1/teams/vision/members/",
        {"person": "newcomer", "role": "member"},
        content_type="application/json",
    )
    assert member.status_code == managing
    if booking == 403:
        assert booked.json()["code"] == "token_scope"
        assert f"{scope.value!r}" in booked.json()["message"]


def test_a_booking_token_ends_what_it_booked_and_nothing_is_decided_with_it(person: User) -> None:
    client = program(person, TokenScope.BOOK)
    number = book(client).json()["id"]

    assert client.post(f"/api/v1/reservations/{number}/approve/").json()["code"] == "token_scope"
    assert client.post(f"/api/v1/reservations/{number}/cancel/").status_code == 200


def test_the_scope_is_told(person: User) -> None:
    client = program(person, TokenScope.READ)

    assert client.get("/api/v1/me/").json()["token"]["scope"] == "read"
    (row,) = client.get("/api/v1/tokens/").json()["results"]
    assert row["scope"] == "read"


def test_a_scope_that_there_is_not_is_refused(person: User) -> None:
    client = CheckedClient()
    client.force_login(person)
    asked = {"name": "x", "expires_at": make.at(24).isoformat(), "scope": "root"}

    assert client.post("/api/v1/tokens/", asked, format="json").status_code == 400
    made = client.post("/api/v1/tokens/", {**asked, "scope": "book"}, format="json")
    assert made.json()["scope"] == "book"


# --- how often -----------------------------------------------------------------------------------


@pytest.fixture
def _three_a_minute(settings: Settings) -> None:
    cache.clear()
    settings.API_REQUESTS_PER_MINUTE = 3


@pytest.mark.usefixtures("_three_a_minute")
def test_the_fourth_in_a_minute_waits_whatever_token_it_has(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = program(person, TokenScope.READ), program(person, TokenScope.FULL)
    another = program(make.user(), TokenScope.READ)

    statuses = [each.get("/api/v1/me/").status_code for each in (one, other, one)]
    refused = other.get("/api/v1/me/")

    assert statuses == [200, 200, 200]
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert 0 < int(refused["Retry-After"]) <= 60
    assert another.get("/api/v1/me/").status_code == 200
    monkeypatch.setattr("gpuaas.api.limits.timezone.now", lambda: make.NOON + timedelta(minutes=1))
    assert other.get("/api/v1/me/").status_code == 200


@pytest.mark.usefixtures("_three_a_minute")
def test_what_is_refused_changes_nothing(person: User) -> None:
    client = program(person, TokenScope.FULL)
    for _ in range(3):
        client.get("/api/v1/me/")

    assert book(client).status_code == 429
    assert not Reservation.objects.exists()


class Gone:
    """A cache that nobody reaches."""

    def incr(self, key: str) -> int:
        raise ConnectionError(key)


class Late:
    """A cache in which somebody else was the first, between our look and our try."""

    tries = 0

    def incr(self, key: str) -> int:
        self.tries += 1
        if self.tries == 1:
            raise ValueError(key)
        return 2

    def add(self, key: str, value: int, timeout: int) -> bool:  # noqa: ARG002 -- Django's
        return False


@pytest.mark.usefixtures("_three_a_minute")
def test_without_a_cache_nobody_is_kept_out(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "cache", Gone())
    client = program(person, TokenScope.READ)

    assert {client.get("/api/v1/me/").status_code for _ in range(5)} == {200}


@pytest.mark.usefixtures("_three_a_minute")
def test_two_at_once_are_both_counted(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late()
    monkeypatch.setattr(limits, "cache", late)

    assert program(person, TokenScope.READ).get("/api/v1/me/").status_code == 200
    assert late.tries == 2
