"""Pages in the person's language, time zone and theme."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts import services
from gpuaas.accounts.models import User
from gpuaas.core import sentences
from gpuaas.portal import wording
from gpuaas.portal.forms.booking import MomentField
from gpuaas.portal.templatetags import units
from tests import make

PROFILE = reverse("portal:profile")
TOKENS = reverse("portal:tokens")


@pytest.fixture
def person(db: None) -> User:
    return make.user(username="ada")


@pytest.fixture
def browser(client: Client, person: User) -> Client:
    client.force_login(person)
    return client


def page(browser: Client, address: str = PROFILE, **more: Any) -> str:
    return browser.get(address, **more).content.decode()


def test_a_profile_is_kept_and_counts_at_once(browser: Client, person: User) -> None:
    chosen = {"language": "de", "time_zone": "Europe/Berlin", "theme": "dark"}

    answer = browser.post(PROFILE, chosen, follow=True)

    person.refresh_from_db()
    assert (person.language, person.time_zone, person.theme) == tuple(chosen.values())
    text = answer.content.decode()
    assert '<html lang="de" data-time-zone="Europe/Berlin" data-theme="dark">' in text
    assert "Gespeichert." in text
    assert "Sprache, Zeit und Darstellung" in text
    assert "Zeiten in Europe/Berlin." in text


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("language", "tlh", "language_unknown"),
        ("time_zone", "Mars/Olympus", "time_zone_unknown"),
        ("theme", "pink", "theme_unknown"),
    ],
)
def test_what_does_not_exist_is_refused_and_nothing_changed(
    browser: Client, person: User, field: str, value: str, code: str
) -> None:
    answer = browser.post(PROFILE, {field: value})
    with pytest.raises(Exception, match=value) as refused:
        services.change_profile(person=person, look=services.Look(**{field: value}))

    assert answer.status_code == 422
    assert f'data-testid="error-{field}"' in answer.content.decode()
    assert refused.value.code == code  # type: ignore[attr-defined]
    person.refresh_from_db()
    assert getattr(person, field) == ""


@pytest.mark.parametrize(
    ("asked", "given"),
    [("de-AT,de;q=0.9", "de"), ("en-US", "en-gb"), ("fr", "en-gb"), ("", "en-gb")],
)
def test_without_a_choice_it_is_what_the_browser_asks_for(
    browser: Client, asked: str, given: str
) -> None:
    answer = browser.get(PROFILE, headers={"accept-language": asked})

    assert f'<html lang="{given}"' in answer.content.decode()
    assert answer["Content-Language"] == given
    assert "Accept-Language" in answer["Vary"]


def test_who_is_not_logged_in_is_asked_in_their_language(client: Client, db: None) -> None:
    german = page(client, reverse("account_login"), headers={"accept-language": "de"})

    assert 'lang="de"' in german


def test_choosing_costs_no_query(
    browser: Client, person: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(3):  # the session, the person, their teams: as without
        browser.get(PROFILE)
    services.change_profile(
        person=person, look=services.Look(language="de", time_zone="Asia/Tokyo")
    )
    with django_assert_num_queries(3):
        browser.get(PROFILE)


def test_moments_are_in_the_zone_of_the_person_and_in_utc_to_point_at() -> None:
    from django.utils import timezone  # noqa: PLC0415

    at = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    with timezone.override("Asia/Tokyo"), translation.override("de"):
        assert wording.instant(at) == "2. Juli 2026, 07:30 JST"
        assert 'title="1. Juli 2026, 22:30 UTC"' in units.instant(at)
        assert units.for_input(at) == "2026-07-02T07:30"
        assert MomentField().clean("2026-07-02T07:30") == at
        assert "2. Juli 2026, 07:30 JST" in units.with_instants("until 2026-07-01 22:30 UTC")


def test_sentences_of_the_domain_are_recognised_with_what_fills_them() -> None:
    with translation.override("de"):
        known = sentences.in_language("there is no theme 'pink'; it is empty, light or dark")
        unknown = sentences.in_language("Ada <b> wrote this herself")

    assert known == "Eine Darstellung 'pink' gibt es nicht; möglich ist leer, light oder dark"
    assert unknown == "Ada <b> wrote this herself"
    assert sentences.in_language("the file") == "the file"
