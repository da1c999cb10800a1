"""The start page: what else it says beside one's bookings."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import OrganisationRole, Team
from gpuaas.inventory.models import Node, Pool
from reservations import services
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation
from tests import make
from tests.make import SLICE
from tests.portal.conftest import Book

pytestmark = pytest.mark.django_db
QUERIES = 22
HOME = reverse("portal:home")


def home(browser: Client) -> str:
    return browser.get("/").content.decode()


def test_what_is_free_is_two_clicks_away(browser: Client, pool: Pool) -> None:
    offered = f"/book/?type=lab%2F{SLICE.replace('/', '%2F')}&amp;begins=now&amp;length=2h"
    assert offered in home(browser)

    form = browser.get(offered.replace("&amp;", "&")).context["form"]

    assert [form[name].value() for name in ("type", "begins", "length")] == [
        f"lab/{SLICE}",
        "now",
        "2h",
    ]


def test_what_is_taken_is_not_offered_for_now(browser: Client, book: Book) -> None:
    book(0, 3, units=4)

    assert home(browser).count('data-testid="book-now"') == 1
    assert home(browser).count('data-testid="book-type"') == 2


def test_what_runs_can_be_extended(browser: Client, book: Book) -> None:
    mine = book(0, 2)
    Reservation.objects.filter(pk=mine.pk).update(state=State.ACTIVE)

    assert f"/reservations/{mine.public_id}/change/" in home(browser)


def test_maintenance_of_the_next_two_weeks_is_told(browser: Client, pool: Pool) -> None:
    now = timezone.now()
    make.closure(of=pool, at=Window(now + timedelta(days=20), now + timedelta(days=21)))
    assert "new firmware" not in home(browser)

    make.closure(of=pool, at=Window(now + timedelta(days=2), now + timedelta(days=3)))
    assert "Maintenance: new firmware" in home(browser)

    make.closure(of=pool, at=Window(now - timedelta(hours=1), now + timedelta(hours=1)))
    assert "Maintenance now: new firmware" in home(browser)


def test_the_budget_of_the_team_is_shown_where_it_has_one(
    browser: Client, pool: Pool, team: Team, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    assert "Budget this month" not in home(browser)
    services.set_team_rules(
        team=team,
        changes={"budget_minor": 50_000, "currency": "EUR"},
        actor=make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN),
        now=timezone.now(),
    )

    with django_assert_max_num_queries(QUERIES):
        shown = home(browser)

    assert "Budget this month" in shown
    assert "500.00" in shown


def steps_of(client: Client) -> list[bool]:
    return [each.is_done for each in client.get(HOME).context["first_steps"]]


def test_an_empty_installation_leads_its_administrator_to_the_first_booking() -> None:
    """Each step is seen to be done by itself, and the whole goes away."""
    admin = Client()
    admin.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))

    assert steps_of(admin) == [False, False, False, False, False]
    made = make.pool(nodes=0)
    assert steps_of(admin) == [True, False, False, False, False]
    node = make.node(of=made)
    Node.objects.filter(pk=node.pk).update(pool=None)
    assert steps_of(admin) == [True, True, False, False, False]
    Node.objects.filter(pk=node.pk).update(pool=made)
    assert steps_of(admin) == [True, True, True, False, False]
    make.user(teams=[make.team()])
    assert steps_of(admin) == [True, True, True, True, False]
    assert [each.is_next for each in admin.get(HOME).context["first_steps"]][-1]
    for each in admin.get(HOME).context["first_steps"]:
        assert admin.get(each.address).status_code == HTTPStatus.OK

    make.reservation(of=made)

    page = admin.get(HOME)
    assert page.context["first_steps"] == ()
    assert b"first-run" not in page.content


def test_nobody_else_is_led(browser: Client) -> None:
    assert browser.get(HOME).context["first_steps"] == ()
