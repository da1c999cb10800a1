"""``/api/v1/tokens/``, and asking with one."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts import services
from gpuaas.accounts.models import ApiToken, User
from tests import make
from tests.api.clients import client_of

pytestmark = pytest.mark.django_db
TOKENS = "/api/v1/tokens/"
LATER = make.at(24).isoformat()


@pytest.fixture
def person() -> User:
    return make.user(teams=[make.team()])


@pytest.fixture
def text(person: User) -> str:
    _, text = services.create_token(
        person=person,
        name="ci",
        expires_at=make.at(24),
        longest=timedelta(days=365),
        now=make.at(-1),
    )
    return text


def ask(text: str, *, scheme: str = "Bearer", address: str = TOKENS) -> Any:
    """Ask without a cookie, by a client that would notice a missing CSRF token."""
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"{scheme} {text}"})
    return client.get(address)


def test_a_token_opens_the_api(person: User, text: str) -> None:
    answer = ask(text)

    assert answer.status_code == 200
    assert [row["name"] for row in answer.json()["results"]] == ["ci"]
    assert not answer.cookies


def test_who_asks_costs_one_query(
    text: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ask(text)  # notes the use

    with django_assert_num_queries(2):  # who asks; then the page
        ask(text)


def test_a_token_needs_no_csrf_token(text: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {text}"})
    token = ApiToken.objects.get()

    assert client.delete(f"{TOKENS}{token.public_id}/").status_code == 204
    assert client.get(TOKENS).status_code == 401


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"revoked_at": make.NOON}, "token_revoked"),
        ({"expires_at": make.NOON}, "token_expired"),
        ({"digest": "0" * 64}, "token_unknown"),
        ({"public_id": "0" * 12}, "token_unknown"),
    ],
)
def test_a_token_that_does_not_work_says_why(
    text: str, change: dict[str, object], code: str
) -> None:
    ApiToken.objects.update(**change)

    answer = ask(text)

    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_the_token_of_who_is_switched_off_is_dead_at_once(person: User, text: str) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)

    assert ask(text).json()["code"] == "account_inactive"


@pytest.mark.parametrize("junk", ["", "x", "gpuaas_1_2", "gpuaas__", "\x00", "ü"])
def test_junk_is_no_token(junk: str) -> None:
    assert ask(junk).json()["code"] == "token_unknown"


def test_another_scheme_is_not_ours(text: str) -> None:
    assert ask(text, scheme="Basic").json()["code"] == "not_authenticated"


def test_a_token_is_made_and_shown_once(person: User) -> None:
    client = client_of(person)

    made = client.post(TOKENS, {"name": "laptop", "expires_at": LATER}, format="json")

    assert made.status_code == 201
    assert ask(made.json()["token"]).status_code == 200
    assert "token" not in client.get(TOKENS).json()["results"][0]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"name": "x"}, 400, "invalid"),
        ({"name": "x", "expires_at": "2026-03-02"}, 400, "invalid"),
        ({"name": "x", "expires_at": LATER, "lifetime": 3}, 400, "invalid"),
        ({"name": "x" * 61, "expires_at": LATER}, 400, "invalid"),
        ({"name": "ci", "expires_at": LATER}, 409, "token_name_taken"),
        ({"name": "x", "expires_at": make.NOON.isoformat()}, 422, "token_lifetime"),
        ([], 400, "invalid"),
    ],
)
def test_what_cannot_be_made_is_refused(
    person: User, text: str, body: Any, status: int, code: str
) -> None:
    answer = client_of(person).post(TOKENS, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ApiToken.objects.count() == 1


def test_a_token_makes_no_token(text: str) -> None:
    client = Client(headers={"Authorization": f"Bearer {text}"})

    answer = client.post(
        TOKENS, {"name": "more", "expires_at": LATER}, content_type="application/json"
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "login_needed")
    assert ApiToken.objects.count() == 1


def test_the_token_of_another_looks_like_none(text: str) -> None:
    stranger = client_of(make.user())
    number = ApiToken.objects.get().public_id

    theirs, nobodys = (stranger.delete(f"{TOKENS}{n}/") for n in (number, "0" * 12))

    assert (theirs.status_code, theirs.content) == (nobodys.status_code, nobodys.content)
    assert theirs.status_code == 404
    assert ApiToken.objects.get().revoked_at is None
    assert len(stranger.get(TOKENS).json()["results"]) == 0
