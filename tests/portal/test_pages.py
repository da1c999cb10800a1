"""Who sees which page, what it costs, and what acting on it does."""

import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.inventory.models import Pool
from reservations import services as reservations
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions import services as sessions
from sessions.models import WorkspaceSession
from tests import make

Book = Callable[..., Reservation]
OK, FOUND, NOT_FOUND = HTTPStatus.OK, HTTPStatus.FOUND, HTTPStatus.NOT_FOUND
PAGES = ["home", "mine", "book", "reservations"]
OF_ONE = ["reservation", "live", "give_back", "cancel"]


def page(name: str, of: Reservation | None = None) -> str:
    return reverse(f"portal:{name}", args=[of.public_id] if of else [])


def start(reservation: Reservation, *, ready: bool = False) -> WorkspaceSession:
    """Open its session as if its window had come."""
    now = timezone.now()
    session = sessions.open_session(reservation=reservation, now=now)
    if ready:
        sessions.record_ready(session=session, now=now)
    return session


# --- who ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_a_member_sees_the_pages(browser: Client, pool: Pool, name: str) -> None:
    assert browser.get(page(name)).status_code == OK


@pytest.mark.parametrize("name", PAGES)
def test_nobody_sees_a_page_without_logging_in(client: Client, pool: Pool, name: str) -> None:
    answer = client.get(page(name))

    assert answer.status_code == FOUND
    assert answer["Location"].startswith(reverse("account_login"))


def test_a_part_that_refreshes_itself_reloads_its_page_when_logged_out(
    client: Client, book: Book
) -> None:
    answer = client.get(page("live", book(1, 2)), headers={"HX-Request": "true"})

    assert answer["HX-Refresh"] == "true"


@pytest.mark.parametrize("name", OF_ONE)
def test_a_reservation_of_another_team_is_not_there(client: Client, book: Book, name: str) -> None:
    outsider = make.user(teams=(make.team(),))
    client.force_login(outsider)

    assert client.get(page(name, book(1, 2))).status_code == NOT_FOUND


@pytest.mark.parametrize("name", OF_ONE)
def test_a_reservation_that_never_was_is_not_there(browser: Client, name: str) -> None:
    assert browser.get(reverse(f"portal:{name}", args=[uuid4()])).status_code == NOT_FOUND


@pytest.mark.parametrize(
    ("name", "status"),
    [("reservation", OK), ("live", OK), ("give_back", NOT_FOUND), ("cancel", NOT_FOUND)],
)
@pytest.mark.parametrize("who", ["viewer", "finance"])
def test_those_who_only_look_cannot_act(
    client: Client, book: Book, team: Team, who: str, name: str, status: HTTPStatus
) -> None:
    reservation = book(1, 2)
    person = (
        make.user(teams=(team,), role=MembershipRole.VIEWER)
        if who == "viewer"
        else make.user(organisation_role=OrganisationRole.FINANCE)
    )
    client.force_login(person)

    assert client.get(page(name, reservation)).status_code == status
    assert b'data-testid="cancel"' not in client.get(page("reservation", reservation)).content
    assert client.post(page("cancel", reservation)).status_code == NOT_FOUND


def test_a_viewer_is_told_why_there_is_no_form(client: Client, pool: Pool, team: Team) -> None:
    client.force_login(make.user(teams=(team,), role=MembershipRole.VIEWER))

    assert b"You cannot book yet" in client.get(page("book")).content
    assert client.post(page("book")).status_code == HTTPStatus.FORBIDDEN
    assert page("book").encode() not in client.get(page("home")).content


# --- what is shown ---------------------------------------------------------------------------


def test_home_shows_what_runs_what_comes_and_what_is_free(browser: Client, book: Book) -> None:
    session = start(book(0, 2), ready=True)
    book(5, 6, units=2)

    seen = browser.get(page("home")).content.decode()

    assert page("open_workspace", session.reservation) in seen
    assert 'data-state="ACTIVE"' in seen
    assert 'data-state="APPROVED"' in seen
    assert '<strong class="h3 mb-0">3</strong> of 4 free now' in seen


def test_home_without_bookings_or_pools_says_what_to_do(browser: Client) -> None:
    seen = browser.get(page("home")).content.decode()

    assert "Nothing booked" in seen
    assert "There are no pools yet" in seen


def test_the_workspace_link_comes_with_the_ready_session_alone(browser: Client, book: Book) -> None:
    reservation = book(0, 2)
    session = start(reservation)
    before = browser.get(page("live", reservation)).content
    sessions.record_ready(session=session, now=timezone.now())

    assert b"workspace-link" not in before
    assert b"workspace-link" in browser.get(page("live", reservation)).content


def test_opening_the_workspace_is_noted_and_goes_there(browser: Client, book: Book) -> None:
    session = start(book(0, 2), ready=True)

    answer = browser.post(page("open_workspace", session.reservation))

    address = f"https://{session.namespace}.apps.example.com/"
    assert f'content="0; url={address}"' in answer.content.decode()
    session.refresh_from_db()
    assert session.visited_at is not None


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_not_ready_cannot_be_opened(browser: Client, book: Book, *, begun: bool) -> None:
    reservation = book(0, 2)
    if begun:
        start(reservation)

    answer = browser.post(page("open_workspace", reservation))

    assert (answer.status_code, answer["Location"]) == (FOUND, page("reservation", reservation))


def test_the_page_of_a_reservation_tells_its_history(browser: Client, book: Book) -> None:
    assert b"Booked by ada" in browser.get(page("reservation", book(1, 2))).content


def test_its_history_says_from_what_to_what(browser: Client, book: Book) -> None:
    reservation = book(1, 2)
    reservations.extend(
        reservation=reservation,
        ends_at=reservation.ends_at + timedelta(hours=1),
        actor=reservation.requested_by,
        now=timezone.now(),
    )

    (*_, extended) = browser.get(page("reservation", reservation)).context["history"]

    assert re.fullmatch(r"Extended: end from .* UTC to .* UTC, by .*", extended.text)


def test_what_was_seen_already_is_not_sent_again(browser: Client, book: Book) -> None:
    reservation = book(1, 2)
    seen = browser.get(page("live", reservation)).context["fingerprint"]
    again = browser.get(page("live", reservation), {"seen": seen})
    start(reservation)

    assert again.status_code == HTTPStatus.NO_CONTENT
    assert browser.get(page("live", reservation), {"seen": seen}).status_code == OK


def test_a_reservation_that_is_over_asks_for_nothing_more(browser: Client, book: Book) -> None:
    reservation = book(1, 2)
    reservations.cancel(reservation=reservation, actor=reservation.requested_by, now=timezone.now())

    seen = browser.get(page("reservation", reservation)).content

    assert b'hx-trigger="every' not in seen
    assert b"book-again" in seen


def test_the_list_is_mine_unless_all_is_asked_for(
    browser: Client, book: Book, team: Team, pool: Pool
) -> None:
    book(1, 2)
    make.reservation(of=pool, by=team)

    assert len(browser.get(page("reservations")).context["cards"]) == 1
    assert len(browser.get(page("reservations"), {"whose": "team"}).context["cards"]) == 2


@pytest.mark.parametrize(("state", "found"), [("APPROVED", 1), ("FAILED", 0), ("nonsense", 1)])
def test_the_list_can_be_narrowed_to_a_state(
    browser: Client, book: Book, state: str, found: int
) -> None:
    book(1, 2)

    assert len(browser.get(page("reservations"), {"state": state}).context["cards"]) == found


# --- what it costs -----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "most"), [("home", 22), ("mine", 8), ("reservations", 8)])
@pytest.mark.parametrize("bookings", [1, 12])
def test_a_list_costs_the_same_however_long_it_is(
    browser: Client,
    book: Book,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    name: str,
    most: int,
    bookings: int,
) -> None:
    for hour in range(1, bookings + 1):
        book(hour, hour + 1)

    with django_assert_max_num_queries(most):
        browser.get(page(name))


def test_a_page_of_a_reservation_has_a_budget(
    browser: Client, book: Book, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    reservation = book(0, 2)
    start(reservation, ready=True)

    with django_assert_max_num_queries(15):
        browser.get(page("reservation", reservation))


# --- acting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_ONE)
def test_looking_changes_nothing(browser: Client, book: Book, name: str) -> None:
    reservation = book(0, 2)
    start(reservation)

    browser.get(page(name, reservation))

    assert Reservation.objects.get().state == State.ACTIVE


def test_giving_back_completes_an_active_reservation(browser: Client, book: Book) -> None:
    reservation = book(0, 2)
    start(reservation, ready=True)

    answer = browser.post(page("give_back", reservation), follow=True)

    reservation.refresh_from_db()
    assert reservation.state == State.COMPLETED
    assert reservation.released_at is not None
    assert b"Given back" in answer.content


@pytest.mark.parametrize("started", [False, True])
def test_canceling_ends_a_reservation(browser: Client, book: Book, *, started: bool) -> None:
    reservation = book(0, 2)
    if started:
        start(reservation)

    browser.post(page("cancel", reservation))

    reservation.refresh_from_db()
    assert reservation.state == State.CANCELED


def test_what_is_over_cannot_be_ended_again(browser: Client, book: Book) -> None:
    reservation = book(1, 2)
    browser.post(page("cancel", reservation))

    again = browser.post(page("cancel", reservation), follow=True)

    assert b"Nothing was changed" in again.content
    assert browser.get(page("cancel", reservation)).status_code == FOUND


def test_what_has_not_started_cannot_be_given_back(browser: Client, book: Book) -> None:
    reservation = book(1, 2)

    browser.post(page("give_back", reservation))

    reservation.refresh_from_db()
    assert reservation.state == State.APPROVED


def test_the_question_comes_alone_for_the_dialog(browser: Client, book: Book) -> None:
    reservation = book(1, 2)

    alone = browser.get(page("cancel", reservation), headers={"HX-Request": "true"}).content

    assert b"nothing is lost" in alone
    assert b"<html" not in alone


def test_acting_needs_the_token_of_the_page(member: User, book: Book) -> None:
    reservation = book(1, 2)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(member)

    answer = strict.post(page("cancel", reservation))

    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert b"open for too long" in answer.content


# --- around ------------------------------------------------------------------------------------


def test_one_logs_in_and_lands_at_home(client: Client, member: User) -> None:
    answer = client.post(
        reverse("account_login"), {"login": member.username, "password": make.PASSWORD}
    )

    assert (answer.status_code, answer["Location"]) == (FOUND, page("home"))


def test_a_wrong_password_is_said_so(client: Client, member: User) -> None:
    answer = client.post(reverse("account_login"), {"login": member.username, "password": "no"})

    assert b'data-testid="form-error"' in answer.content


@pytest.mark.parametrize(
    "name",
    [
        "account_login",
        "account_logout",
        "account_change_password",
        "account_reset_password",
        "account_reset_password_done",
        "account_email",
        "account_signup",
    ],
)
def test_account_pages_wear_our_look(browser: Client, client: Client, name: str) -> None:
    someone = client if name in {"account_login", "account_signup"} else browser
    if someone is client:
        client.logout()

    assert b"plain-brand" in someone.get(reverse(name), follow=True).content


def test_a_page_that_is_not_there_wears_our_look(browser: Client) -> None:
    answer = browser.get("/nowhere/")

    assert answer.status_code == NOT_FOUND
    assert b"plain-brand" in answer.content


@pytest.mark.parametrize("name", ["home", "book", "reservations"])
def test_no_page_has_inline_script_or_style(browser: Client, pool: Pool, name: str) -> None:
    answer = browser.get(page(name))

    assert b"style=" not in answer.content
    assert b"<script>" not in answer.content
    assert b" onclick" not in answer.content
    assert "unsafe" not in answer["Content-Security-Policy"]


def test_the_menu_names_the_person_and_what_they_may_do(client: Client, team: Team) -> None:
    client.force_login(make.user(teams=(team,), role=MembershipRole.MANAGER))

    seen = client.get(page("home")).content.decode()

    assert "Manager of Vision" in seen
    assert reverse("admin:index") in seen
