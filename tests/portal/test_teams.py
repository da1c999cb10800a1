"""The pages of teams: who sees them, what they say, and what they cost."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation, TeamRules
from tests import make
from tests.portal.conftest import Book
from tokenomics.models import GpuHour

pytestmark = pytest.mark.django_db
TEAMS = reverse("portal:teams")


def address(team: Team) -> str:
    return reverse("portal:team", args=[team.slug])


def of_month(team: Team) -> str:
    return reverse("portal:team_month", args=[team.slug])


def signed_in(**of: object) -> Client:
    client = Client()
    client.force_login(make.user(**of))  # type: ignore[arg-type]  # what `make.user` takes
    return client


def content(client: Client, where: str) -> str:
    return client.get(where).content.decode()


def test_a_person_sees_the_own_teams_only(browser: Client, team: Team) -> None:
    make.team(slug="secret")

    page = content(browser, TEAMS)

    assert team.name in page
    assert "Secret" not in page
    assert browser.get(address(Team.objects.get(slug="secret"))).status_code == HTTPStatus.NOT_FOUND


def test_teams_are_found_by_name_or_cost_centre(team: Team) -> None:
    admin = signed_in(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    Team.objects.filter(pk=team.pk).update(cost_centre="CC-4711")
    make.team(slug="other")

    assert content(admin, f"{TEAMS}?q=4711").count('data-testid="team-row"') == 1
    assert "No team is called" in content(admin, f"{TEAMS}?q=nothing")
    assert content(admin, TEAMS).count('data-testid="team-row"') == 2


def test_who_is_in_no_team_is_told_how_to_get_in() -> None:
    assert "You are in no team yet" in content(signed_in(), TEAMS)


def test_the_page_says_who_is_in_it_and_until_when(browser: Client, team: Team) -> None:
    make.membership(of=team, whose=make.user(username="gone"), expires_at=make.NOON)
    make.user(teams=[team], role=MembershipRole.VIEWER, username="viv")

    page = content(browser, address(team))

    assert page.count('data-testid="member-row"') == 3
    assert page.count(">over<") == 1
    assert 'data-role="viewer"' in page


def test_the_meters_show_what_is_used_committed_and_left(
    browser: Client, team: Team, pool: Pool
) -> None:
    now = timezone.now()
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    changes = {
        "budget_minor": 10_000,
        "currency": "EUR",
        "concurrent_units": 1,
        "longest_minutes": 90,
        "horizon_days": 1,
        "approval_above_minutes": 0,
    }
    services.set_team_rules(team=team, changes=changes, pools=[pool], actor=admin, now=now)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begun = max(month, now - timedelta(hours=1))
    make.reservation(of=pool, by=team, at=Window(begun, now), state=State.COMPLETED)
    make.reservation(
        of=pool, by=team, at=Window(now, now + timedelta(minutes=20)), state=State.ACTIVE
    )
    Reservation.objects.filter(state=State.COMPLETED).update(cost_minor=2_500)

    page = content(browser, address(team))

    assert "25.00 EUR used" in page
    assert "75.00 EUR left" in page
    assert "1 unit</strong>" in page
    assert "0 units left" in page
    assert "used, no limit" in page  # GPU-hours
    for words in ("Lab", "1 h 30 min", "1 day at most", "longer than 0 min"):
        assert words in page


@pytest.mark.parametrize("where", ["teams", "team"])
def test_a_page_costs_the_same_however_many_there_are(
    team: Team, where: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    admin = signed_in(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    for _ in range(10):
        make.user(teams=[team])
        make.team()

    with django_assert_max_num_queries(11):
        page = content(admin, TEAMS if where == "teams" else address(team))

    assert "style=" not in page


@pytest.fixture
def month(team: Team, pool: Pool, book: Book) -> Client:
    """A manager; the team has a budget, one GPU was at work for a quarter of its hour."""
    make.price(of=pool, resource_name=make.SLICE, minor=100)
    TeamRules.objects.create(team=team, budget_minor=10_000, currency="EUR")
    booked = book(1, 3)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    GpuHour.objects.create(
        cluster=pool.cluster,
        reservation=booked,
        gpu_uuid="GPU-1",
        hour=hour,
        charged_month=hour.date().replace(day=1),
        seen_ms=3_600_000,
        active_seen_ms=3_600_000,
        active_ms=900_000,
    )
    return signed_in(teams=[team], role=MembershipRole.MANAGER)


def test_managers_see_how_the_month_was_used(month: Client, team: Team) -> None:
    card = month.get(of_month(team)).context["month"]

    facts = {name: value for name, value, _ in card.facts}
    assert facts["Utilisation"] == "25 %"
    assert facts["Idle share"] == "75 %"
    assert facts["Booked"] == "0.5 h"
    burning = card.drawings["budget"]["series"][0]["data"]
    assert burning[-1] == 98.0
    assert len(burning) == len(card.drawings["hours"]["names"])


def test_members_do_not_see_how_the_month_was_used(
    browser: Client, month: Client, team: Team
) -> None:
    assert browser.get(of_month(team)).context["month"] is None
    assert month.get(of_month(team)).context["month"] is not None


def test_a_month_without_budget_and_telemetry_says_so(team: Team) -> None:
    manager = signed_in(teams=[team], role=MembershipRole.MANAGER)

    page = manager.get(of_month(team))

    card = page.context["month"]
    assert "budget" not in card.drawings
    assert ("Utilisation", "not measured", "no GPU telemetry of this month") in card.facts
    assert b"Nothing is booked this month" in page.content


def test_the_team_s_page_takes_few_queries(
    month: Client, team: Team, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make.user(teams=[team])

    with django_assert_max_num_queries(12):
        page = month.get(address(team))
    with django_assert_max_num_queries(12):
        month.get(of_month(team), headers={"HX-Request": "true"})

    assert len(page.context["bookings"]) == 1
