"""Teams, limits, rules and prices, as administrators set them and others read them."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from gpuaas.accounts.models import OrganisationRole, Team
from gpuaas.inventory.models import Pool
from gpuaas.portal.forms.rules import MoneyField
from reservations import facts, services
from reservations.models import UnitPrice
from tests import make

pytestmark = pytest.mark.django_db
OF_TEAM = ("team_edit", "team_archive", "team_limits")


@pytest.fixture
def admin(team: Team, pool: Pool) -> Client:
    client = Client()
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    return client


def at(name: str, of: Team | Pool) -> str:
    return reverse(f"portal:{name}", args=[of.slug])


def post(client: Client, where: str, typed: dict[str, Any]) -> str:
    return client.post(where, typed, follow=True).content.decode()


def beside(page: str, field: str) -> str:
    return page.partition(f'data-testid="error-{field}"')[2].partition("</div>")[0]


def test_a_team_is_made_edited_archived_and_brought_back(admin: Client) -> None:
    typed = {"name": "New", "slug": "new", "cost_centre": "CC-1", "description": "all new"}

    assert "Add somebody who looks after it" in post(admin, reverse("portal:team_new"), typed)
    team = Team.objects.get(slug="new")
    post(admin, at("team_edit", team), {"name": "Newer", "cost_centre": "CC-2"})
    assert "extends nothing any more" in admin.get(at("team_archive", team)).content.decode()
    assert "is archived" in post(admin, at("team_archive", team), {"is_active": "no"})
    team.refresh_from_db()
    assert (team.name, team.cost_centre, team.description) == ("Newer", "CC-2", "")
    assert not team.is_active

    assert "It books again" in post(admin, at("team_archive", team), {"is_active": "yes"})


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": "Vision", "slug": "other"}, "name"),
        ({"name": "Other", "slug": "vision"}, "name"),
        ({"name": "Other", "slug": "no spaces"}, "slug"),
        ({"name": "n" * 81, "slug": "other"}, "name"),
    ],
)
def test_a_team_that_cannot_be_made_says_why(
    admin: Client, typed: dict[str, str], field: str
) -> None:
    answer = admin.post(reverse("portal:team_new"), typed)

    assert answer.status_code == 422
    assert beside(answer.content.decode(), field)
    assert Team.objects.count() == 1


def test_a_name_that_is_taken_changes_nothing(admin: Client, team: Team) -> None:
    make.team(slug="other")

    page = admin.post(at("team_edit", team), {"name": "Other"}).content.decode()

    assert "take another" in beside(page, "name")
    team.refresh_from_db()
    assert team.name == "Vision"


def test_limits_are_set_in_money_as_people_write_it_and_shown_again(
    admin: Client, team: Team, pool: Pool
) -> None:
    where = at("team_limits", team)

    page = post(admin, where, {"budget_minor": "2500.50", "longest_minutes": "60", "pools": "lab"})

    rules, pools = facts.team_rules(team)
    assert (rules.budget_minor, rules.currency, rules.longest_minutes) == (250_050, "EUR", 60)
    assert pools == [pool]
    assert "2,500.50 EUR left" in page
    again = admin.get(where).content.decode()
    assert 'value="2500.50"' in again
    assert 'value="lab" checked' in again

    post(admin, where, {"budget_minor": "", "longest_minutes": ""})
    rules, pools = facts.team_rules(team)
    assert (rules.budget_minor, rules.currency, rules.longest_minutes, pools) == (
        None,
        "",
        None,
        [],
    )


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"budget_minor": "-1"}, "budget_minor"),
        ({"budget_minor": "1.005"}, "budget_minor"),
        ({"budget_minor": "much"}, "budget_minor"),
        ({"concurrent_units": "0"}, "concurrent_units"),
        ({"horizon_days": "91"}, "horizon_days"),
        ({"pools": "nowhere"}, "pools"),
    ],
)
def test_limits_that_make_no_sense_are_told_beside_their_field(
    admin: Client, team: Team, typed: dict[str, str], field: str
) -> None:
    answer = admin.post(at("team_limits", team), typed)

    assert answer.status_code == 422
    assert beside(answer.content.decode(), field)
    assert facts.team_rules(team)[0].pk is None


def test_rules_are_set_and_said_in_words(admin: Client, pool: Pool) -> None:
    assert "14 d <span" in admin.get(at("pool", pool)).content.decode()  # the product's own
    typed = {
        "longest_minutes": "120",
        "cool_down_minutes": "30",
        "quiet_from": "22:00",
        "quiet_until": "06:00",
        "time_zone": "Europe/Berlin",
        "approval_above_units": "2",
        "approval_above_cost_minor": "10",
        "managers_may_approve": "on",
        "gpu_hours_per_week": "40",
    }

    page = post(admin, at("pool_rules", pool), typed)

    assert facts.pool_rules(pool).quiet_from == time(22)
    for words in (
        ">2 h</div>",
        "nothing starts from 22:00 until 06:00, Europe/Berlin",
        "more than 2 units, dearer than 10.00 EUR; by a team&#x27;s manager",
        "40 GPU-hours",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"longest_minutes": "5"}, "longest_minutes"),
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"quiet_from": "late"}, "quiet_from"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
    ],
)
def test_rules_that_make_no_sense_are_told_beside_their_field(
    admin: Client, pool: Pool, typed: dict[str, str], field: str
) -> None:
    answer = admin.post(at("pool_rules", pool), {"time_zone": "UTC", **typed})

    assert answer.status_code == 422
    assert beside(answer.content.decode(), field)


def test_prices_are_added_and_those_that_stand_are_marked(admin: Client, pool: Pool) -> None:
    where = at("pool_price", pool)
    later = (timezone.now() + timedelta(days=3)).isoformat()
    typed = {"resource_name": make.GPU, "minor_units_per_unit_hour": "4.80"}

    post(admin, where, typed)
    post(admin, where, {**typed, "minor_units_per_unit_hour": "5"})
    page = post(admin, where, {**typed, "minor_units_per_unit_hour": "6", "valid_from": later})

    prices = UnitPrice.objects.order_by("pk").values_list("minor_units_per_unit_hour", flat=True)
    assert list(prices) == [480, 500, 600]
    assert page.count(">now<") == page.count(">to come<") == 1
    assert page.count('data-testid="price-row"') == 3


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"minor_units_per_unit_hour": ""}, "minor_units_per_unit_hour"),
        ({"valid_from": "2020-01-01T00:00"}, "valid_from"),
        ({"resource_name": "nvidia.com/none"}, "resource_name"),
    ],
)
def test_a_price_that_makes_no_sense_is_told(
    admin: Client, pool: Pool, typed: dict[str, str], field: str
) -> None:
    good = {"resource_name": make.GPU, "minor_units_per_unit_hour": "4.80"}

    answer = admin.post(at("pool_price", pool), {**good, **typed})

    assert answer.status_code == 422
    assert beside(answer.content.decode(), field)
    assert not UnitPrice.objects.exists()


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 2500), ("EUR", 250_000)])
def test_money_has_the_decimals_of_its_currency(
    settings: Settings, currency: str, minor: int
) -> None:
    settings.CURRENCY = currency
    field = MoneyField()

    assert field.clean("2500") == minor
    assert field.clean(field.prepare_value(minor)) == minor


def test_a_member_reads_the_pool_and_changes_nothing(
    browser: Client,
    admin: Client,
    pool: Pool,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    now = timezone.now()
    root = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    for amount in range(30):
        services.set_price(
            pool=pool,
            resource_name=make.GPU,
            minor_units_per_unit_hour=amount,
            currency="EUR",
            valid_from=now + timedelta(hours=amount),
            actor=root,
            now=now,
        )

    with django_assert_max_num_queries(11):
        page = browser.get(at("pool", pool)).content.decode()

    assert "<form" not in page.partition("<main")[2].partition("</main>")[0]
    assert "style=" not in page
    assert page.count('data-testid="price-row"') == 25
