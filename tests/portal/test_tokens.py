"""One's API tokens in the portal."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from gpuaas.accounts import services, tokens
from gpuaas.accounts.models import ApiToken, User

pytestmark = pytest.mark.django_db
TOKENS = reverse("portal:tokens")


def token(of: User, name: str, **more: Any) -> ApiToken:
    now = timezone.now()
    day = timedelta(days=1)
    made, _ = services.create_token(
        person=of, name=name, expires_at=now + day, longest=day, now=now, **more
    )
    return made


def test_a_token_is_shown_once_and_works(browser: Client, client: Client) -> None:
    answer = browser.post(TOKENS, {"name": "laptop", "days": "30"})

    secret = answer.content.decode().partition('id="secret" readonly value="')[2].partition('"')[0]
    made = ApiToken.objects.get()
    assert answer.headers["Cache-Control"] == "no-store"
    assert tokens.read(secret) is not None
    assert made.expires_at - made.created_at == timedelta(days=30)
    bearer = {"Authorization": f"Bearer {secret}"}
    assert Client(headers=bearer).get("/api/v1/teams/").status_code == 200
    page = browser.get(TOKENS).content.decode()
    assert secret not in page
    assert "laptop" in page


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"name": "", "days": "7"}, "name", "Give it a name"),
        ({"name": "n" * 61, "days": "7"}, "name", "at most 60"),
        ({"name": "taken", "days": "7"}, "name", "revoke it, or take another name"),
        ({"name": "new", "days": "9999"}, "days", "not one of the available"),
        ({"name": "new", "days": "x"}, "days", "not one of the available"),
    ],
)
def test_what_is_refused_says_why_beside_the_field(
    browser: Client, member: User, typed: dict[str, str], field: str, words: str
) -> None:
    token(member, "taken")

    answer = browser.post(TOKENS, typed)

    said = answer.content.decode().partition(f'data-testid="error-{field}"')[2]
    assert answer.status_code == 422
    assert words in said.partition("</div>")[0]
    assert ApiToken.objects.count() == 1


def test_no_longer_than_the_installation_allows(browser: Client, settings: Settings) -> None:
    settings.API_TOKEN_MAX_DAYS = 1

    page = browser.get(TOKENS).content.decode()

    assert page.partition(chr(60) + 'select class="form-select" id="days"')[2].count("<option") == 1
    assert 'value="1" selected' in page


def test_revoking_asks_first(browser: Client, member: User) -> None:
    made = token(member, "laptop")
    where = reverse("portal:token_revoke", args=[made.public_id])

    assert "last used never" in browser.get(where).content.decode()
    made.refresh_from_db()
    assert made.revoked_at is None

    assert "laptop works no more" in browser.post(where, follow=True).content.decode()
    made.refresh_from_db()
    assert made.revoked_at is not None


def test_the_list_says_what_works_and_costs_the_same_however_long(
    browser: Client, member: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for name in "abc":
        token(member, name)
    services.revoke_token(token=ApiToken.objects.get(name="a"), actor=member, now=timezone.now())
    day = timedelta(days=1)
    ApiToken.objects.filter(name="b").update(
        created_at=timezone.now() - 2 * day, expires_at=timezone.now() - day
    )

    with django_assert_max_num_queries(7):
        page = browser.get(TOKENS).content.decode()

    assert [page.count(f">{word}<") for word in ("Works", "Revoked", "Expired")] == [1, 1, 1]
    assert page.count("/revoke/") == 1


def test_who_has_none_is_told_what_they_are_for(browser: Client) -> None:
    assert b"No tokens yet" in browser.get(TOKENS).content
