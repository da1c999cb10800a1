"""Booking again and again, from templates and for others, in the portal."""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import BookingTemplate, Reservation, Series
from tests import make

Book = Callable[..., Reservation]
BOOK = "/book/"


@pytest.fixture
def filled(browser: Client, pool: Pool) -> dict[str, str]:
    """A form as the browser would send it: one slice, tomorrow, for two hours, for three days."""
    form = browser.get(BOOK).context["form"]
    starts_at = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    return {
        "key": form.key_to_send,
        "team": "vision",
        "type": f"{pool.slug}/{make.SLICE}",
        "units": "1",
        "begins": "later",
        "starts_at": starts_at.isoformat(),
        "length": "2h",
        "mode": "interactive",
        "repeat": "day",
        "repeat_until": f"{starts_at + timedelta(days=2):%Y-%m-%d}",
        "time_zone": "UTC",
    }


def test_a_form_that_repeats_leads_to_its_series(
    browser: Client, pool: Pool, filled: dict[str, str], member: User
) -> None:
    again = browser.post(BOOK, filled)

    series = Series.objects.get()
    assert again["Location"] == reverse("portal:series", args=[series.public_id])
    assert Reservation.objects.filter(requested_by=member, state="APPROVED").count() == 3
    assert browser.post(BOOK, filled)["Location"] == again["Location"]
    assert Reservation.objects.count() == 3


def test_its_page_says_of_each_what_became_of_it(
    browser: Client, pool: Pool, filled: dict[str, str]
) -> None:
    browser.post(BOOK, filled)
    first = Reservation.objects.earliest("starts_at")
    full = make.reservation(of=pool, units=1, at=first.window, devices=())
    Reservation.objects.filter(pk=full.pk).update(starts_at=first.starts_at)
    series = Series.objects.get()
    occurrence = series.occurrences.get(number=2)
    occurrence.reservation, occurrence.code = None, "pool_full"
    occurrence.message = "no room until 2030-01-01 10:00 UTC"
    occurrence.nearest_starts_at, occurrence.nearest_ends_at = first.starts_at, first.ends_at
    occurrence.save()
    open_one = series.occurrences.get(number=3)
    open_one.reservation, open_one.decided_at = None, None
    open_one.save()

    page = browser.get(reverse("portal:series", args=[series.public_id])).content.decode()

    assert 'data-state="APPROVED"' in page
    assert 'data-state="REFUSED"' in page
    assert 'data-state="UNDECIDED"' in page
    assert 'data-testid="nearest"' in page
    assert "1 of 3 are booked; 1 could not be." in page


def test_what_has_not_started_is_canceled_together(browser: Client, filled: dict[str, str]) -> None:
    browser.post(BOOK, filled)
    where = reverse("portal:series", args=[Series.objects.get().public_id])
    assert b"cancel-series" in browser.get(where).content

    page = browser.post(f"{where}cancel/", follow=True).content

    assert b"Canceled: 3 of it" in page
    assert b"cancel-series" not in page
    assert set(Reservation.objects.values_list("state", flat=True)) == {"CANCELED"}


def test_a_viewer_sees_a_series_and_no_button(
    browser: Client, filled: dict[str, str], team: Team, client: Client
) -> None:
    browser.post(BOOK, filled)
    where = reverse("portal:series", args=[Series.objects.get().public_id])
    client.force_login(make.user(teams=[team], role=MembershipRole.VIEWER))

    assert b"cancel-series" not in client.get(where).content


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"repeat_until": ""}, "repeat_until"),
        ({"repeat_until": "soon"}, "repeat_until"),
        ({"repeat_until": "2020-01-01"}, "repeat_until"),
        ({"repeat": "fortnight"}, "repeat"),
        ({"length": "until", "ends_at": "2099-01-01T00:00"}, "ends_at"),
    ],
)
def test_what_cannot_be_repeated_is_said_beside_its_field(
    browser: Client, filled: dict[str, str], changes: dict[str, str], field: str
) -> None:
    answer = browser.post(BOOK, {**filled, **changes})

    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert field in answer.context["form"].errors
    assert not Series.objects.exists()


def test_a_zone_that_nobody_knows_is_utc(browser: Client, filled: dict[str, str]) -> None:
    browser.post(BOOK, {**filled, "time_zone": "Moon/Tranquillity"})

    assert Series.objects.get().time_zone == "UTC"


@pytest.mark.parametrize("many", [1, 6])
def test_lists_cost_the_same_however_long_they_are(
    browser: Client,
    pool: Pool,
    team: Team,
    member: User,
    book: Book,
    many: int,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(many):
        _kept(pool, team, member, f"template {number}")
        _series(pool, team, member, number)

    for name, most in (("all_series", 7), ("templates", 7), ("book", 19)):
        with django_assert_max_num_queries(most):
            assert browser.get(reverse(f"portal:{name}")).status_code == HTTPStatus.OK
    with django_assert_max_num_queries(10):
        browser.get(reverse("portal:series", args=[Series.objects.latest("pk").public_id]))


def test_long_lists_have_pages(browser: Client, pool: Pool, team: Team, member: User) -> None:
    for number in range(21):
        _series(pool, team, member, number)

    assert b"?page=2" in browser.get(reverse("portal:all_series")).content
    assert b"?page=1" in browser.get(reverse("portal:all_series"), {"page": 2}).content


# --- templates -----------------------------------------------------------------------------------


def _kept(pool: Pool, team: Team, member: User, name: str, minutes: int = 120) -> BookingTemplate:
    return services.save_template(
        owner=member,
        team=team,
        pool=pool,
        name=name,
        pattern=services.Pattern(
            make.SLICE, 1, minutes, cpu_millicores=2000, memory_mib=2048, storage_gib=20
        ),
        is_shared=False,
        now=timezone.now(),
    )


def _series(pool: Pool, team: Team, member: User, number: int) -> Series:
    now = timezone.now()
    starts_at = now + timedelta(days=1 + number)
    return services.book_series(
        pool=pool,
        team=team,
        requested_by=member,
        wish=make.wish(at=Window(starts_at, starts_at + timedelta(hours=1))),
        repeat=make.repeat(),
        now=now,
    )


def test_a_booking_is_kept_and_fills_the_form(browser: Client, book: Book, pool: Pool) -> None:
    booked = book(1, 3)

    browser.post(reverse("portal:templates"), {"of": booked.public_id, "name": "nightly"})

    template = BookingTemplate.objects.get()
    assert (template.name, template.minutes, template.is_shared) == ("nightly", 120, False)
    page = browser.get(BOOK)
    (card,) = page.context["templates"]
    form = browser.get(f"{BOOK}?{card.query}").context["form"]
    assert form["type"].value() == f"lab/{make.SLICE}"
    assert (form["length"].value(), form["memory_gib"].value()) == ("2h", "16")


def test_another_length_fills_the_end(
    browser: Client, pool: Pool, team: Team, member: User
) -> None:
    _kept(pool, team, member, "odd", minutes=95)
    (card,) = browser.get(BOOK).context["templates"]

    form = browser.get(f"{BOOK}?{card.query}").context["form"]

    assert form["length"].value() == "until"
    assert form["ends_at"].value() > form["starts_at"].value()


@pytest.mark.parametrize("name", ["", "x" * 61])
def test_a_name_that_is_none_keeps_nothing(browser: Client, book: Book, name: str) -> None:
    answer = browser.post(
        reverse("portal:templates"), {"of": book(1, 3).public_id, "name": name}, follow=True
    )

    assert b"Give the template a name" in answer.content
    assert not BookingTemplate.objects.exists()


def test_the_same_name_twice_is_told(browser: Client, book: Book) -> None:
    asked = {"of": book(1, 3).public_id, "name": "nightly"}
    browser.post(reverse("portal:templates"), asked)

    assert (
        b"Nothing was kept" in browser.post(reverse("portal:templates"), asked, follow=True).content
    )


def test_deleting_is_for_who_made_it(browser: Client, pool: Pool, team: Team, member: User) -> None:
    theirs = services.save_template(
        owner=make.user(teams=[team]),
        team=team,
        pool=pool,
        name="theirs",
        pattern=services.Pattern(make.SLICE, 1, 60),
        is_shared=True,
        now=timezone.now(),
    )
    own = _kept(pool, team, member, "own")

    refused = browser.post(
        reverse("portal:template_delete", args=[theirs.public_id]), follow=True
    ).content
    browser.post(reverse("portal:template_delete", args=[own.public_id]))

    assert b"Nothing was changed" in refused
    assert list(BookingTemplate.objects.all()) == [theirs]


# --- for others ----------------------------------------------------------------------------------


def test_a_manager_books_for_a_mate(
    client: Client, team: Team, pool: Pool, member: User, filled: dict[str, str]
) -> None:
    manager = make.user(teams=[team], role=MembershipRole.MANAGER)
    client.force_login(manager)
    page = client.get(BOOK)
    assert [each.username for each in page.context["mates"]] == ["ada"]

    once = {**filled, "repeat": "", "key": page.context["form"].key_to_send}
    client.post(BOOK, {**once, "on_behalf_of": "ada"})

    assert Reservation.objects.get().requested_by == member


def test_a_member_has_nobody_to_book_for(
    browser: Client, team: Team, filled: dict[str, str]
) -> None:
    make.user(teams=[team], username="bob")

    answer = browser.post(BOOK, {**filled, "repeat": "", "on_behalf_of": "bob"})

    assert answer.context["mates"] == []
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not Reservation.objects.exists()


# --- the admin site ------------------------------------------------------------------------------


def test_series_are_canceled_in_the_admin_site(
    client: Client, pool: Pool, team: Team, member: User
) -> None:
    series = _series(pool, team, member, 1)
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    where = reverse("admin:reservations_series_changelist")
    assert reverse("portal:series", args=[series.public_id]) in client.get(where).content.decode()

    answer = client.post(
        where, {"action": "cancel_chosen", "_selected_action": series.pk}, follow=True
    )

    assert b"2 canceled" in answer.content
    assert set(Reservation.objects.values_list("state", flat=True)) == {State.CANCELED.value}


def test_a_manager_sees_the_templates_of_the_team_there(
    client: Client, pool: Pool, team: Team, member: User
) -> None:
    _kept(pool, team, member, "nightly")
    where = reverse("admin:reservations_bookingtemplate_changelist")
    boss = make.user(teams=[team], role=MembershipRole.MANAGER)
    client.force_login(boss)

    assert b"nightly" in client.get(where).content
    client.force_login(make.user(teams=[make.team()], role=MembershipRole.MANAGER))
    assert b"nightly" not in client.get(where).content
