"""The booking form: what is kept, what is refused, what is offered."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gpuaas.accounts.models import OrganisationRole, Team, User
from gpuaas.inventory.models import Pool
from gpuaas.portal.forms.booking import next_morning
from reservations import services
from reservations.models import Reservation
from tests import make

Book = Callable[..., Reservation]
UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.fixture
def url() -> str:
    return reverse("portal:book")


@pytest.fixture
def filled(browser: Client, pool: Pool, url: str) -> dict[str, str]:
    """A form as the browser would send it: one slice, now, for two hours."""
    form = browser.get(url).context["form"]
    return {
        "key": form.key_to_send,
        "team": "vision",
        "type": f"{pool.slug}/{make.SLICE}",
        "units": "1",
        "begins": "now",
        "length": "2h",
        "mode": "interactive",
        "purpose": "Qwen evaluation",
    }


def text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


def test_booking_leads_to_the_page_of_the_booking(
    browser: Client, url: str, filled: dict[str, str], member: User
) -> None:
    answer = browser.post(url, filled)

    made = Reservation.objects.get()
    assert answer["Location"] == reverse("portal:reservation", args=[made.public_id])
    assert (made.requested_by, made.units, made.purpose) == (member, 1, "Qwen evaluation")
    assert made.window.length == pytest.approx(timedelta(hours=2), abs=timedelta(minutes=1))


def test_empty_quantities_mean_the_fair_share_of_all_units(
    browser: Client, url: str, filled: dict[str, str]
) -> None:
    browser.post(url, {**filled, "units": "2"})

    made = Reservation.objects.get()
    assert made.cpu_millicores >= 2_000
    assert made.memory_mib >= 2 * 1024
    assert made.storage_gib == 600


def test_typed_quantities_are_taken(browser: Client, url: str, filled: dict[str, str]) -> None:
    browser.post(url, {**filled, "cpu_cores": "3", "memory_gib": "5", "storage_gib": "70"})

    made = Reservation.objects.get()
    assert (made.cpu_millicores, made.memory_mib, made.storage_gib) == (3_000, 5 * 1024, 70)


def test_a_form_sent_twice_books_once(browser: Client, url: str, filled: dict[str, str]) -> None:
    first = browser.post(url, filled)
    second = browser.post(url, filled, follow=True)

    assert Reservation.objects.count() == 1
    assert second.redirect_chain[0][0] == first["Location"]
    assert b"was sent before" in second.content


def test_a_form_made_for_somebody_else_is_refused_and_keeps_what_was_typed(
    client: Client, url: str, filled: dict[str, str]
) -> None:
    client.force_login(make.user(teams=(make.team(slug="language"),)))

    answer = client.post(url, {**filled, "team": "language"})

    assert answer.status_code == UNPROCESSABLE
    assert b"has expired" in answer.content
    assert b"Qwen evaluation" in answer.content
    assert answer.context["form"].key_to_send != filled["key"]


def test_one_cannot_book_for_a_team_of_others(
    browser: Client, url: str, filled: dict[str, str]
) -> None:
    make.team(slug="language")

    answer = browser.post(url, {**filled, "team": "language"})

    assert answer.context["form"].errors.keys() == {"team"}


def test_every_problem_stands_beside_its_field_and_nothing_typed_is_lost(
    browser: Client, url: str, filled: dict[str, str]
) -> None:
    answer = browser.post(
        url,
        {
            **filled,
            "units": "9",
            "begins": "later",
            "starts_at": "2020-01-01T10:00",
            "length": "until",
            "ends_at": "2020-01-01T10:05",
            "cpu_cores": "-4",
        },
    )

    form = answer.context["form"]
    assert answer.status_code == UNPROCESSABLE
    assert form.errors.keys() == {"units", "starts_at", "ends_at", "cpu_cores"}
    for kept in (b'value="9"', b'value="2020-01-01T10:05"', b'value="-4"', b"Qwen evaluation"):
        assert kept in answer.content


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"begins": "later"}, "starts_at"),
        ({"begins": "later", "starts_at": "soon"}, "starts_at"),
        ({"begins": "later", "starts_at": "2026-02-31T10:00"}, "starts_at"),
        ({"length": "until"}, "ends_at"),
        ({"length": "forever"}, "length"),
        ({"type": "lab/nothing"}, "type"),
        ({"type": ""}, "type"),
        ({"units": "0"}, "units"),
        ({"mode": "mining"}, "mode"),
        ({"purpose": "x" * 121}, "purpose"),
    ],
)
def test_what_cannot_be_read_is_said_so(
    browser: Client, url: str, filled: dict[str, str], change: dict[str, str], field: str
) -> None:
    answer = browser.post(url, filled | change)

    assert field in answer.context["form"].errors
    assert not Reservation.objects.exists()


def test_the_current_minute_means_now(browser: Client, url: str, filled: dict[str, str]) -> None:
    this_minute = timezone.now().replace(second=0, microsecond=0)

    browser.post(url, {**filled, "begins": "later", "starts_at": text(this_minute)})

    assert Reservation.objects.get().starts_at >= this_minute


def test_a_moment_with_a_zone_is_understood(
    browser: Client, url: str, filled: dict[str, str]
) -> None:
    tomorrow = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    typed = (tomorrow + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M+02:00")

    browser.post(url, {**filled, "begins": "later", "starts_at": typed})

    assert Reservation.objects.get().starts_at == tomorrow


@pytest.mark.parametrize("by_browser", [False, True])
def test_until_the_morning_is_the_browsers_morning_or_utc(
    browser: Client, url: str, filled: dict[str, str], *, by_browser: bool
) -> None:
    theirs = next_morning(timezone.now()) - timedelta(hours=1)
    sent = {"morning_at": theirs.isoformat()} if by_browser else {}

    browser.post(url, {**filled, "length": "morning", **sent})

    made = Reservation.objects.get()
    assert made.ends_at == (theirs if by_browser else next_morning(made.starts_at))


def test_a_full_pool_offers_the_nearest_window_which_refills_the_form(
    browser: Client, url: str, filled: dict[str, str], book: Book
) -> None:
    taken = book(0, 5, units=4)
    full = browser.post(url, filled)
    offer = full.context["shortage"].windows[0].refill

    refilled = browser.post(url, {**filled, "refill": offer})
    form = refilled.context["form"]
    booked = browser.post(
        url,
        {
            **filled,
            "key": form.key_to_send,
            **{name: form[name].value() for name in ("begins", "starts_at", "length", "ends_at")},
        },
    )

    assert full.status_code == UNPROCESSABLE
    assert b"There is room for all of it in these windows" in full.content
    assert refilled.status_code == HTTPStatus.OK
    assert form["purpose"].value() == "Qwen evaluation"
    assert booked.status_code == HTTPStatus.FOUND
    assert Reservation.objects.exclude(pk=taken.pk).get().starts_at >= taken.ends_at


def test_taking_the_offer_books_nothing_yet(
    browser: Client, url: str, filled: dict[str, str]
) -> None:
    browser.post(url, {**filled, "refill": "2030-01-01T10:00Z/2030-01-01T12:00Z"})

    assert not Reservation.objects.exists()


def test_a_link_fills_the_form(browser: Client, pool: Pool, url: str) -> None:
    wanted = f"{pool.slug}/{make.SLICE}"

    form = browser.get(url, {"type": wanted, "units": "3", "key": "mine"}).context["form"]

    assert (form["type"].value(), form["units"].value()) == (wanted, "3")
    assert form.key_to_send != "mine"


def test_a_form_in_the_browsers_history_is_not_shown_again(
    browser: Client, pool: Pool, url: str
) -> None:
    assert pool.pk
    assert "no-store" in browser.get(url)["Cache-Control"]


def test_what_needs_an_approval_is_held_and_said_to_be(
    browser: Client, url: str, filled: dict[str, str], member: User
) -> None:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    team = Team.objects.get(slug="vision")
    changes = {"approval_above_units": 0}
    services.set_team_rules(team=team, changes=changes, actor=admin, now=timezone.now())
    start = timezone.now() + timedelta(hours=2)
    later = {**filled, "begins": "later", "starts_at": text(start)}

    answer = browser.post(url, later, follow=True)

    assert Reservation.objects.get().state == "PENDING"
    assert b"Held until somebody approves it" in answer.content
    assert b"Waiting for approval" in answer.content
