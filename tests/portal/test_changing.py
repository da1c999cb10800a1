"""Changing a booking in the portal: another end, another wish, and deciding on what is held."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.inventory import resource_types
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.capacity import Window
from reservations.lifecycle import PendingOn, State
from reservations.models import Reservation
from tests import make
from tests.make import GPU
from tests.portal import at_hours
from tests.portal.conftest import Book

pytestmark = pytest.mark.django_db


def page(name: str, of: Reservation) -> str:
    return reverse(f"portal:{name}", args=[of.public_id])


def typed(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def row(of: Reservation) -> Reservation:
    return Reservation.objects.get(pk=of.pk)


def test_the_page_says_until_when_one_can_have_it(
    browser: Client, book: Book, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    mine = book(1, 3)

    with django_assert_max_num_queries(33):
        shown = browser.get(page("change", mine)).content.decode()

    assert "You can have it until" in shown
    assert shown.count('data-testid="later"') == 4
    assert 'data-testid="move"' in shown
    assert 'data-testid="change"' in browser.get(page("reservation", mine)).content.decode()


@pytest.mark.parametrize("hours", [2, 5])
def test_it_ends_earlier_or_later(browser: Client, book: Book, hours: int) -> None:
    mine = book(1, 3)
    ends_at = mine.starts_at + timedelta(hours=hours)

    answer = browser.post(page("change_end", mine), {"ends_at": typed(ends_at)})

    assert answer.status_code == 302
    assert row(mine).ends_at == ends_at


def test_as_late_as_possible(browser: Client, book: Book) -> None:
    mine = book(1, 3)

    browser.post(page("change_end", mine), {"ends_at": ""})

    assert row(mine).window.length == timedelta(days=14)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("change_end", {"ends_at": "yesterday"}, "Enter a date and a time."),
        ("change_end", {"ends_at": "2001-01-01T00:00Z"}, "the shortest booking ends at"),
        ("change_end", {"ends_at": "2999-01-01T00:00Z"}, "the longest booking is 14 days"),
        ("change", {"units": "900"}, "900"),
        ("change", {"starts_at": "2001-01-01T00:00Z"}, "only the future can be booked"),
        ("change", {"type": "nowhere/none"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_changes(
    browser: Client, book: Book, name: str, body: dict[str, str], said: str
) -> None:
    mine = book(1, 3)

    answer = browser.post(page(name, mine), body)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert row(mine).version == 1


def test_it_moves_to_another_time_and_type(browser: Client, book: Book, pool: Pool) -> None:
    mine = book(1, 3)
    starts_at = at_hours(timezone.now(), 30)
    body = {"type": f"{pool.slug}/{GPU}", "units": "1", "starts_at": typed(starts_at)}

    browser.post(page("change", mine), body)

    moved = row(mine)
    assert (moved.resource_name, moved.starts_at) == (GPU, starts_at)
    assert moved.window.length == mine.window.length


def test_what_is_over_cannot_be_changed(browser: Client, book: Book) -> None:
    mine = book(1, 3)
    services.cancel(reservation=mine, actor=mine.requested_by, now=timezone.now())

    assert browser.get(page("change", mine)).status_code == 302
    answer = browser.post(page("change_end", mine), {"ends_at": ""})

    assert "it is over" in answer.content.decode()


@pytest.fixture
def held(pool: Pool, team: Team, member: User) -> Reservation:
    now = timezone.now()
    return make.reservation(
        of=pool,
        by=team,
        requested_by=member,
        at=Window(at_hours(now, 5), at_hours(now, 7)),
        state=State.PENDING,
        pending_on=PendingOn.REQUESTER,
        held_until=at_hours(now, 1),
        created_at=now,
    )


@pytest.mark.parametrize(("word", "state"), [("take", State.APPROVED), ("pass_on", State.CANCELED)])
def test_what_is_held_is_taken_or_passed_on(
    browser: Client, held: Reservation, word: str, state: State
) -> None:
    assert b'data-testid="take"' in browser.get(page("reservation", held)).content

    browser.post(page(word, held))

    assert row(held).state == state


@pytest.mark.parametrize(
    ("word", "reason", "state"),
    [
        ("approve", "", State.APPROVED),
        ("reject", "too much", State.CANCELED),
        ("reject", "", State.PENDING),
    ],
)
def test_an_administrator_decides_on_what_waits(
    client: Client, held: Reservation, word: str, reason: str, state: State
) -> None:
    Reservation.objects.filter(pk=held.pk).update(pending_on=PendingOn.APPROVER, approver=2)
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    shown = client.get(reverse("portal:reservations"), {"whose": "approve"}).content.decode()
    assert shown.count('data-testid="reservation-row"') == 1
    assert b'data-testid="approve"' in client.get(page("reservation", held)).content

    client.post(page(word, held), {"reason": reason})

    assert row(held).state == state


def test_who_only_looks_decides_nothing(client: Client, team: Team, held: Reservation) -> None:
    client.force_login(make.user(teams=[team], role=MembershipRole.VIEWER))

    assert b'data-testid="take"' not in client.get(page("reservation", held)).content
    assert client.post(page("take", held)).status_code == 404
    client.post(page("approve", held))

    assert row(held).state == State.PENDING


def test_a_full_pool_has_a_line_to_wait_in(browser: Client, book: Book, pool: Pool) -> None:
    most = max(
        each.devices_per_node
        for each in resource_types.of(pool)
        if each.resource_name == make.SLICE
    )
    taken = book(2, 4, units=most)
    body = {
        "type": f"{pool.slug}/{make.SLICE}",
        "team": "vision",
        "units": str(most),
        "begins": "later",
        "starts_at": typed(taken.starts_at),
        "length": "2h",
        "mode": "interactive",
        "key": browser.get(reverse("portal:book")).context["form"].key_to_send,
    }
    refused = browser.post(reverse("portal:book"), body)
    assert b'data-testid="wait-in-line"' in refused.content

    answer = browser.post(reverse("portal:book"), {**body, "wait": "1"}, follow=True)

    assert "In line for Vision" in answer.content.decode()
    assert "You are first in line." in answer.content.decode()
    assert Reservation.objects.filter(state=State.WAITLISTED).count() == 1


def test_what_an_approver_may_set_aside_can_be_asked_for(browser: Client, pool: Pool) -> None:
    root = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    now = timezone.now()
    services.set_pool_rules(pool=pool, changes={"horizon_days": 1}, actor=root, now=now)
    body = {
        "type": f"{pool.slug}/{make.SLICE}",
        "team": "vision",
        "units": "1",
        "begins": "later",
        "starts_at": typed(at_hours(now, 72)),
        "length": "2h",
        "mode": "interactive",
        "key": browser.get(reverse("portal:book")).context["form"].key_to_send,
    }
    assert b'data-testid="ask-approval"' in browser.post(reverse("portal:book"), body).content

    answer = browser.post(reverse("portal:book"), {**body, "ask": "1"}, follow=True)

    assert "Held until somebody approves it" in answer.content.decode()
    assert Reservation.objects.get().pending_on == PendingOn.APPROVER
