"""The page of calendar links, and the same over REST."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import Team, User
from gpuaas.feeds import services
from gpuaas.feeds.models import CalendarFeed
from gpuaas.inventory.models import Pool
from tests import make
from tests.api.clients import client_of

PAGE = "/calendar-links/"
API = "/api/v1/calendar-feeds/"


@pytest.mark.parametrize(
    ("of", "kind"), [("mine", "person"), ("team:vision", "team"), ("pool:lab", "pool")]
)
def test_a_link_is_made_shown_once_and_works(
    browser: Client, pool: Pool, of: str, kind: str
) -> None:
    answer = browser.post(PAGE, {"of": of})

    found = re.search(r'value="(http[^"]+/calendar/[\w-]{32}\.ics)"', answer.content.decode())
    assert found is not None
    address = found[1]
    assert answer["Cache-Control"] == "no-store"
    assert CalendarFeed.objects.get().kind == kind
    assert Client().get(address.removeprefix("http://127.0.0.1:8000")).status_code == 200
    assert b".ics" not in browser.get(PAGE).content


def test_a_link_that_is_revoked_is_gone(browser: Client, member: User) -> None:
    feed, secret = services.create_feed(person=member, now=make.NOON)

    answer = browser.post(reverse("portal:revoke_link", args=[feed.pk]), follow=True)

    assert b"No links yet" in answer.content
    assert Client().get(f"/calendar/{secret}.ics").status_code == 404


@pytest.mark.parametrize(
    ("of", "status"),
    [("", 422), ("nothing", 422), ("team:speech", 404), ("team:", 404), ("pool:nowhere", 404)],
)
def test_what_is_no_calendar_is_refused(browser: Client, of: str, status: int) -> None:
    make.team(slug="speech")

    assert browser.post(PAGE, {"of": of}).status_code == status
    assert not CalendarFeed.objects.exists()


def test_too_many_are_refused_in_words(browser: Client, member: User) -> None:
    for _ in range(services.LIVE_AT_MOST):
        services.create_feed(person=member, now=make.NOON)

    answer = browser.post(PAGE, {"of": "mine"})

    assert answer.status_code == 422
    assert b"You have 20 calendar links, the most: revoke one." in answer.content


@pytest.mark.parametrize("count", [1, 12])
def test_the_page_costs_the_same_however_many(
    browser: Client,
    member: User,
    team: Team,
    count: int,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(count):
        services.create_feed(person=member, team=team, now=make.NOON)

    with django_assert_max_num_queries(10):
        assert browser.get(PAGE).status_code == 200


def test_programs_make_list_and_revoke_links_too(member: User, team: Team) -> None:
    client = client_of(member)

    made = client.post(API, {"team": "vision"}, format="json")
    listed = client.get(API).json()["results"]

    assert made.status_code == 201
    assert made.json()["url"].startswith("http://127.0.0.1:8000/calendar/")
    assert listed == [{name: value for name, value in made.json().items() if name != "url"}]
    assert (listed[0]["of"], listed[0]["team"], listed[0]["pool"]) == ("team", "vision", None)
    assert client.delete(f"{API}{listed[0]['id']}/").status_code == 204
    assert client.get(API).json()["results"] == []
    assert client.delete(f"{API}{listed[0]['id']}/").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"team": "vision", "pool": "lab"}, 400, "invalid"),
        ({"person": "ada"}, 400, "invalid"),
        ({"team": "speech"}, 404, "not_found"),
        ({"team": "old"}, 403, "not_your_team"),
    ],
)
def test_what_is_no_calendar_is_refused_over_rest(
    member: User, team: Team, pool: Pool, body: dict[str, str], status: int, code: str
) -> None:
    make.team(slug="speech")
    make.membership(of=make.team(slug="old"), whose=member)
    Team.objects.filter(slug="old").update(is_active=False)

    answer = client_of(member).post(API, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("count", [1, 12])
def test_the_list_costs_the_same_however_many(
    member: User, team: Team, count: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(count):
        services.create_feed(person=member, team=team, now=make.NOON)
    client = client_of(member)

    with django_assert_max_num_queries(4):
        assert len(client.get(API).json()["results"]) == count
