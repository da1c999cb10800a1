"""Searching: what is found, by whom, and what it costs."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import OrganisationRole, Team, User
from gpuaas.inventory.models import Pool
from gpuaas.portal.cards.search import PLACES
from reservations.capacity import Window
from reservations.models import Reservation
from tests import make

pytestmark = pytest.mark.django_db
SEARCH = reverse("portal:search")


def found(client: Client, asked: str) -> dict[str, list[str]]:
    """Return the titles of what is found, by group."""
    groups = client.get(SEARCH, {"q": asked}).context["groups"]
    return {each.name: [hit.title for hit in each.hits] for each in groups}


def booked(pool: Pool, team: Team, by: User, *, days_ago: float = 1) -> Reservation:
    starts_at = timezone.now() - timedelta(days=days_ago)
    at = Window(starts_at, starts_at + timedelta(hours=1))
    made = make.reservation(of=pool, by=team, requested_by=by, at=at)
    Reservation.objects.filter(pk=made.pk).update(purpose="Fine-tuning of Qwen")
    return made


def test_things_are_found_by_what_they_are_called(
    browser: Client, pool: Pool, team: Team, member: User
) -> None:
    booked(pool, team, member)
    make.user(teams=[team], username="quentin")

    (title,) = found(browser, "qwen")["Reservations"]
    assert "MIG slice 1g.24gb" in title
    assert found(browser, "ada")["Reservations"]
    assert found(browser, "visi")["Teams"] == [team.name]
    assert found(browser, "lab")["Pools"] == [pool.name]
    assert found(browser, "quen")["People"] == ["quentin"]
    assert found(browser, "token")["Pages and actions"] == ["Planning", "API tokens"]


def test_what_one_may_not_see_is_not_found(browser: Client, pool: Pool) -> None:
    other = make.team(slug="secret")
    stranger = make.user(teams=[other], username="stranger")
    theirs = booked(pool, other, stranger)

    for asked in ("qwen", "secret", "stranger", str(theirs.public_id)):
        assert found(browser, asked) == {}
    admin = Client()
    admin.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    for asked in ("qwen", "secret", "stranger", str(theirs.public_id)):
        assert found(admin, asked)


def test_old_bookings_are_found_by_their_number_alone(
    browser: Client, pool: Pool, team: Team, member: User
) -> None:
    old = booked(pool, team, member, days_ago=300)

    assert "Reservations" not in found(browser, "qwen")
    assert found(browser, str(old.public_id))["Reservations"]


def test_pages_are_offered_to_those_who_may_open_them(browser: Client) -> None:
    admin = Client()
    admin.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))

    assert "Fleet" not in found(browser, "")["Pages and actions"]
    assert "Book" in found(browser, "")["Pages and actions"]
    assert "Fleet" in found(admin, "")["Pages and actions"]
    for place in PLACES:
        if place.whose == "anybody":
            assert browser.get(reverse(place.address)).status_code < 400


@pytest.mark.parametrize("asked", ["", " ", "q", "\0", "%", "'; DROP", "x" * 500, "日本語"])
def test_whatever_is_typed_is_answered(browser: Client, asked: str) -> None:
    assert browser.get(SEARCH, {"q": asked}).status_code == 200


def test_the_palette_gets_the_groups_alone(browser: Client) -> None:
    part = browser.get(SEARCH, headers={"HX-Request": "true"}).content

    assert b"<html" not in part
    assert b"data-found" in part


def test_it_takes_few_queries_and_finds_few(
    browser: Client,
    pool: Pool,
    team: Team,
    member: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(12):
        booked(pool, team, member)
        make.user(teams=[team], username=f"qwen-{_}")

    with django_assert_max_num_queries(12):
        groups = found(browser, "qwen")

    assert {name: len(hits) for name, hits in groups.items()} == {"Reservations": 8, "People": 8}
