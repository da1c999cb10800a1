"""Calendar feeds: what is in one, who may see it, and that calendar programs understand it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from icalendar import Calendar
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import Membership, OrganisationRole, Team, User
from gpuaas.audit import selectors as audit
from gpuaas.core.words import TIMES
from gpuaas.feeds import calendars, selectors, services
from gpuaas.inventory.models import Pool
from reservations import services as reservations
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation
from tests import make

pytestmark = pytest.mark.django_db

VIEW = "gpuaas.portal.views.calendar_links"


@pytest.fixture(autouse=True)
def it_is_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(f"{VIEW}.timezone.now", lambda: make.NOON)


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def person(team: Team) -> User:
    return make.user(teams=[team], username="ada")


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={make.SLICE: 8}, slug="lab")


@pytest.fixture
def booked(pool: Pool, team: Team, person: User) -> Reservation:
    return make.reservation(of=pool, by=team, requested_by=person, at=make.window(1, 5), units=2)


def feed(of: User, **what: Any) -> str:
    """Return the path of a new feed of ``of``."""
    _, secret = services.create_feed(person=of, now=make.NOON, **what)
    return f"/calendar/{secret}.ics"


def events(path: str) -> list[Any]:
    answer = Client().get(path)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    return list(Calendar.from_ical(answer.content).walk("VEVENT"))


def test_a_booking_is_an_event(booked: Reservation, person: User) -> None:
    (event,) = events(feed(person))

    assert str(event["uid"]) == f"{booked.public_id}@gpuaas"
    assert (event.decoded("dtstart"), event.decoded("dtend")) == (make.at(1), make.at(5))
    assert (str(event["status"]), str(event["transp"])) == ("CONFIRMED", "TRANSPARENT")
    assert str(event["summary"]) == f"2 {TIMES} MIG slice 1g.24gb"
    assert str(event["url"]).endswith(f"/reservations/{booked.public_id}/")
    assert event["sequence"] == 0


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State.APPROVED, "CONFIRMED"),
        (State.ACTIVE, "CONFIRMED"),
        (State.COMPLETED, "CONFIRMED"),
        (State.CANCELED, "CANCELLED"),
    ],
)
def test_its_status_is_that_of_the_booking(
    booked: Reservation, person: User, state: State, status: str
) -> None:
    Reservation.objects.filter(pk=booked.pk).update(state=state.value)

    assert [str(each["status"]) for each in events(feed(person))] == [status]


def test_every_state_has_a_status() -> None:
    assert set(selectors._STATUS) == set(State)  # noqa: SLF001 -- the table itself


def test_a_change_raises_the_sequence_and_keeps_the_uid(pool: Pool, team: Team) -> None:
    booked = make.admitted(of=pool, by=team, wish=make.wish(at=make.window(1, 5)))
    person = booked.requested_by
    path = feed(person)
    (before,) = events(path)
    later = make.at(0.5)
    reservations.extend(reservation=booked, ends_at=make.at(6), actor=person, now=later)
    (after,) = events(path)

    assert (before["sequence"], after["sequence"]) == (0, 1)
    assert (before.decoded("dtstamp"), after.decoded("last-modified")) == (make.NOON, later)
    assert before["uid"] == after["uid"]
    assert after.decoded("dtend") == make.at(6)


def test_what_was_canceled_is_told_for_a_while(booked: Reservation, person: User) -> None:
    reservations.cancel(reservation=booked, actor=person, now=make.NOON)
    path = feed(person)
    assert [str(each["status"]) for each in events(path)] == ["CANCELLED"]

    long_ago = make.NOON - selectors.CANCELED_FOR
    Reservation.objects.filter(pk=booked.pk).update(state_changed_at=long_ago)

    assert events(path) == []


def test_one_that_was_given_back_ends_when_it_was(booked: Reservation, person: User) -> None:
    given_back_at = make.at(2)
    Reservation.objects.filter(pk=booked.pk).update(
        state=State.COMPLETED.value, released_at=given_back_at
    )

    (event,) = events(feed(person))

    assert event.decoded("dtend") == given_back_at


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("starts", "hours"),
    [
        (datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN), 2),  # the hour from 2 to 3 is left out
        (datetime(2026, 3, 28, 22, 0, tzinfo=BERLIN), 8),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), 2),  # the hour from 2 to 3 comes twice
        (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN), 2),
    ],
)
def test_times_are_right_when_clocks_change(
    person: User,
    team: Team,
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
    starts: datetime,
    hours: int,
) -> None:
    begin = starts.astimezone(UTC)
    monkeypatch.setattr(f"{VIEW}.timezone.now", lambda: begin - timedelta(days=2))
    window = Window(begin, begin + timedelta(hours=hours))
    make.reservation(of=pool, by=Team.objects.get(), requested_by=person, at=window)

    (event,) = events(feed(person))

    assert event.decoded("dtstart").astimezone(BERLIN) == starts
    assert event.decoded("dtend") - event.decoded("dtstart") == timedelta(hours=hours)
    assert event["dtstart"].to_ical().endswith(b"Z")


def test_texts_cannot_break_out(booked: Reservation, person: User) -> None:
    nasty = "a;b,c\\n\nEND:VEVENT\r\nBEGIN:VEVENT\nSUMMARY:x" + "ü" * 60
    Reservation.objects.filter(pk=booked.pk).update(purpose=nasty[:120], state_reason=nasty)

    (event,) = events(feed(person))

    assert " ".join(nasty[:120].split()) in str(event["summary"])


def archive(team: Team, person: User) -> None:
    Team.objects.filter(pk=team.pk).update(is_active=False)


def leave(team: Team, person: User) -> None:
    Membership.objects.filter(team=team, user=person).update(expires_at=make.NOON)


def switch_off(team: Team, person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


def revoke(team: Team, person: User) -> None:
    for each in selectors.feeds_of(person):
        services.revoke_feed(feed=each, now=make.NOON)
        services.revoke_feed(feed=each, now=make.at(1))
        assert len(audit.history_of(f"calendar_feed:{each.pk}")) == 2  # created, revoked once


@pytest.mark.parametrize(
    ("what", "stops"),
    [
        (archive, {"team"}),
        (leave, {"team"}),
        (switch_off, {"person", "team", "pool"}),
        (revoke, {"person", "team", "pool"}),
    ],
)
def test_a_feed_ends_when_its_person_may_not_see_it(
    booked: Reservation,
    pool: Pool,
    team: Team,
    person: User,
    what: Callable[[Team, User], None],
    stops: set[str],
) -> None:
    paths = {
        "person": feed(person),
        "team": feed(person, team=team),
        "pool": feed(person, pool=pool),
    }
    assert all(len(events(path)) == 1 for path in paths.values())

    what(team, person)

    answers = {name: Client().get(path).status_code for name, path in paths.items()}
    assert {name for name, status in answers.items() if status == 404} == stops


def test_whoever_left_a_team_does_not_see_what_they_booked_there(
    booked: Reservation, team: Team, person: User
) -> None:
    path = feed(person)
    leave(team, person)

    assert events(path) == []


def test_a_pools_feed_says_nothing_about_other_teams(
    booked: Reservation, pool: Pool, person: User
) -> None:
    stranger = make.user(teams=[make.team(slug="speech")], username="grace")
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    Reservation.objects.filter(pk=booked.pk).update(purpose="secret plan", state_reason="secret")
    path = feed(stranger, pool=pool)

    unfolded = Client().get(path).content.decode().replace("\r\n ", "")
    (event,) = events(path)
    (seen_by_admin,) = events(feed(admin, pool=pool))

    # The identity is a digest: three letters from "a" to "f" turn up in it by chance.
    identity = str(event["uid"])
    said = unfolded.replace(identity, "")
    for word in ("secret", "ada", "vision", "Vision", str(booked.public_id)):
        assert word not in said
    assert str(booked.public_id) not in identity
    assert str(booked.public_id).replace("-", "") not in identity
    assert str(event["summary"]) == f"Booked: 2 {TIMES} MIG slice 1g.24gb"
    assert str(events(path)[0]["uid"]) == identity
    assert str(seen_by_admin["summary"]) == f"2 {TIMES} MIG slice 1g.24gb, secret plan, ada"


@pytest.mark.parametrize("count", [1, 12])
def test_it_costs_the_same_however_full(
    pool: Pool, person: User, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        make.reservation(of=pool, at=make.window(number, number + 1), state=State.CANCELED)
    path = feed(person, pool=pool)

    with django_assert_num_queries(5):
        assert len(events(path)) == count


def test_it_is_bounded_and_what_lies_ahead_comes_first(
    pool: Pool, team: Team, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "ENTRIES_AT_MOST", 3)
    for hour in (-40 * 24, -9, -7, -5, 5, 7, 200 * 24):
        at = make.window(hour, hour + 1)
        make.reservation(of=pool, by=team, requested_by=person, at=at, state=State.COMPLETED)

    starts = [each.decoded("dtstart") for each in events(feed(person))]

    assert starts == [make.at(-5), make.at(5), make.at(7)]


def test_what_is_known_already_is_not_sent_again(booked: Reservation, person: User) -> None:
    path = feed(person)
    first = Client().get(path)
    again = Client().get(path, headers={"If-None-Match": first["ETag"]})
    reservations.cancel(reservation=booked, actor=person, now=make.NOON)
    changed = Client().get(path, headers={"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert changed.status_code == 200
    assert "private" in first["Cache-Control"]


def test_nobody_asks_too_often(person: User) -> None:
    path = feed(person)
    answers = [Client().get(path).status_code for _ in range(61)]

    assert answers == [200] * 60 + [429]


def test_the_address_is_not_kept_and_the_making_is(person: User, team: Team) -> None:
    made, secret = services.create_feed(person=person, team=team, now=make.NOON)

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(f)::text FROM feeds_calendarfeed f")
        assert secret not in str(cursor.fetchall())
        cursor.execute(
            "SELECT action FROM audit_auditevent WHERE subject = %s", [f"calendar_feed:{made.pk}"]
        )
        assert cursor.fetchall() == [("calendar_feed.created",)]
    assert str(made) == f"calendar feed {made.pk}: Vision"


def test_one_has_a_handful_at_most(person: User) -> None:
    for _ in range(services.LIVE_AT_MOST):
        feed(person)

    with pytest.raises(services.TooManyFeeds, match="revoke one"):
        feed(person)


def test_a_feed_is_of_a_team_that_one_sees(person: User, team: Team) -> None:
    with pytest.raises(services.NoCalendarOfTheirs):
        feed(person, team=make.team())
    archive(team, person)
    with pytest.raises(services.NoCalendarOfTheirs):
        feed(person, team=team)


def test_the_same_entries_make_the_same_bytes() -> None:
    entry = calendars.Entry(
        uid="1@gpuaas",
        sequence=0,
        changed_at=make.NOON,
        starts_at=make.at(1),
        ends_at=make.at(2),
        status=calendars.Status.TENTATIVE,
        summary="x",
    )

    assert calendars.document("a", [entry]) == calendars.document("a", [entry])
    calendar = Calendar.from_ical(calendars.document("a", [entry]))
    assert str(calendar["x-wr-calname"]) == "a"
    assert calendar.decoded("refresh-interval") == calendars.REFRESHED_EVERY
