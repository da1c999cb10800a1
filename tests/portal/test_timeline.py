"""The calendar page: what it shows to whom, what fits first, what dragging does and refuses."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, Team, User
from gpuaas.inventory.models import Pool
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation
from tests import make
from tests.make import GPU, SLICE
from tests.portal import at_hours
from tests.portal.conftest import Book

pytestmark = pytest.mark.django_db
CALENDAR = "/calendar/"


def data(browser: Client, pool: Pool, **query: Any) -> Any:
    return browser.get(reverse("portal:timeline_data", args=[pool.slug]), query)


def bars(browser: Client, pool: Pool, kind: str) -> list[dict[str, Any]]:
    return [bar for bar in data(browser, pool).json()["bars"] if bar["kind"] == kind]


def drag(browser: Client, of: Reservation, starts_at: datetime, ends_at: datetime) -> Any:
    return browser.post(
        reverse("portal:drag", args=[of.public_id]),
        {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()},
    )


def window_of(of: Reservation) -> Window:
    return Reservation.objects.get(pk=of.pk).window


# --- what is shown -----------------------------------------------------------------------------


def test_nodes_hold_their_devices_and_types_say_what_is_free(
    browser: Client, pool: Pool, book: Book
) -> None:
    mine = book(1, 3, units=2)

    shown = data(browser, pool).json()

    *strips, node = shown["rows"]
    assert [strip["title"] for strip in strips] == ["Free GPU", "Free 1g.24gb"]
    assert [row["title"] for row in node["children"]] == [
        "GPU · 0",
        *(f"1g.24gb · {ordinal}" for ordinal in range(4)),
    ]
    assert node["children"][1]["type"] == f"lab/{SLICE}"
    [bar] = bars(browser, pool, "own")
    assert (bar["id"], len(bar["rows"])) == (str(mine.public_id), 2)
    assert bar["moves"]
    assert bar["resizes"]
    slices = [b["title"] for b in shown["bars"] if b["rows"] == [f"free/{SLICE}"]]
    assert slices == ["4", "2", "4"]


def test_of_others_only_the_time_is_told(browser: Client, pool: Pool) -> None:
    now = timezone.now()
    make.reservation(of=pool, at=Window(now + timedelta(hours=1), now + timedelta(hours=2)))

    shown = data(browser, pool).json()

    [(row, times)] = shown["taken"].items()
    assert row in {child["id"] for child in shown["rows"][-1]["children"]}
    assert [datetime.fromisoformat(each) for each in times] == [
        now + timedelta(hours=1),
        now + timedelta(hours=2),
    ]
    assert {bar["kind"] for bar in shown["bars"]} == {"heat-3", "heat-4"}


def test_a_team_mate_s_is_told_but_not_moved(browser: Client, pool: Pool, team: Team) -> None:
    now = timezone.now()
    make.reservation(of=pool, by=team, at=Window(now, now + timedelta(hours=2)))

    [bar] = bars(browser, pool, "team")

    assert bar["url"]
    assert "moves" not in bar


def test_maintenance_closes_the_devices_of_its_node_and_what_is_free_of_them(
    browser: Client, pool: Pool
) -> None:
    other = make.node(of=pool, devices={GPU: 1})
    now = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    make.closure(of=other, at=Window(now, now + timedelta(hours=2)))

    [bar] = bars(browser, pool, "closed")

    assert bar["rows"] == [f"d{other.devices.get().pk}"]
    assert bar["title"] == "Maintenance: new firmware"
    found = [b["title"] for b in data(browser, pool).json()["bars"] if b["rows"] == [f"free/{GPU}"]]
    assert found == ["2", "1", "2"]


def test_what_a_node_no_longer_shows_is_not_free(browser: Client, pool: Pool) -> None:
    pool.nodes.update(reported_devices={SLICE: 3})

    free = {bar["rows"][0]: bar["label"] for bar in data(browser, pool).json()["bars"]}

    assert free == {f"free/{SLICE}": "3 of 4 free", f"free/{GPU}": "0 of 1 free"}


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"until": "2026-99-99T00:00Z"},
        {"from": "2026-11-02T00:00", "until": "2026-11-01T00:00"},
        {"from": "2026-01-01T00:00Z", "until": "2026-03-01T00:00Z"},
    ],
)
def test_a_period_that_is_none_is_refused(
    browser: Client, pool: Pool, query: dict[str, str]
) -> None:
    answer = data(browser, pool, **query)

    assert answer.status_code == 422
    assert "at most 31 days" in answer.json()["problems"][0]


def test_a_period_may_be_any_of_a_month(browser: Client, pool: Pool) -> None:
    answer = data(browser, pool, **{"from": "2026-11-01T00:00", "until": "2026-12-02T00:00Z"})

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"


def test_pages_and_data_are_read_in_few_queries(
    browser: Client,
    pool: Pool,
    book: Book,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    book(1, 3)
    for _ in range(3):
        make.node(of=pool)

    with django_assert_max_num_queries(12):
        data(browser, pool)
    with django_assert_max_num_queries(12):
        browser.get(CALENDAR)
    with django_assert_max_num_queries(14):
        browser.get(CALENDAR, {"as": "table"})


# --- the page ----------------------------------------------------------------------------------


def test_the_table_says_what_is_booked_closed_and_free(
    browser: Client, pool: Pool, book: Book
) -> None:
    mine = book(1, 3)
    now = timezone.now()
    make.reservation(of=pool, at=Window(now, now + timedelta(hours=2)))
    make.closure(of=pool, at=Window(now + timedelta(hours=5), now + timedelta(hours=6)))

    shown = browser.get(CALENDAR, {"as": "table", "view": "fortnight"}).content.decode()

    assert reverse("portal:reservation", args=[mine.public_id]) in shown
    assert "Others" in shown
    assert "new firmware" in shown
    assert "3 of 4" in shown or "2 of 4" in shown


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({"view": "day", "day": "2026-03-01"}, "1 Mar", "1 Mar 2026"),
        ({"view": "week", "day": "2026-03-01"}, "1 Mar", "7 Mar 2026"),
        ({"view": "fortnight", "day": "2026-03-01"}, "1 Mar", "14 Mar 2026"),
        ({"view": "year", "day": "9999-12-31"}, "TODAY", ""),
        ({"day": "soon"}, "TODAY", ""),
    ],
)
def test_links_name_the_days(
    browser: Client, pool: Pool, query: dict[str, str], first: str, last: str
) -> None:
    shown = " ".join(browser.get(CALENDAR, query).content.decode().split())

    first = first.replace("TODAY", f"{timezone.now():%-d %b}")
    assert f"data-span-title>{first}" in shown
    assert last in shown


def test_without_pools_it_says_so(browser: Client) -> None:
    assert "There are no pools yet" in browser.get(CALENDAR).content.decode()


def test_one_of_several_pools_is_chosen(browser: Client, pool: Pool) -> None:
    make.pool(slug="zoo")

    shown = browser.get(CALENDAR, {"pool": "zoo"}).content.decode()

    assert reverse("portal:timeline_data", args=["zoo"]) in shown
    assert "pool=lab&amp;" in shown


def test_it_jumps_to_the_first_window_that_fits(browser: Client, pool: Pool) -> None:
    now = timezone.now()
    taken = Window(now - timedelta(hours=1), now + timedelta(days=3))
    make.reservation(of=pool, resource_name=GPU, at=taken)

    answer = browser.get(CALENDAR, {"type": GPU, "units": "1", "hours": "4"})

    shown = answer.content.decode()
    assert f'data-day="{taken.ends_at:%Y-%m-%d}"' in shown
    assert "/book/?type=lab/nvidia.com%2Fgpu&amp;units=1" in shown
    assert "Book this window" in shown


def test_it_says_when_nothing_fits_or_the_question_is_wrong(browser: Client, pool: Pool) -> None:
    found = browser.get(CALENDAR, {"type": GPU, "units": "9", "hours": "4"}).content.decode()
    wrong = browser.get(CALENDAR, {"type": "tpu", "units": "0", "hours": "4"}).content.decode()

    assert "Nothing of that kind fits" in found
    assert "text-danger-word" in wrong


def test_who_books_for_no_team_is_not_offered_to(client: Client, pool: Pool) -> None:
    client.force_login(make.user())

    shown = client.get(CALENDAR, {"type": GPU, "units": "1", "hours": "4"}).content.decode()

    assert "fit-form" not in shown
    assert "data-book" not in shown


# --- dragging ----------------------------------------------------------------------------------


def test_what_has_not_started_moves(browser: Client, book: Book) -> None:
    mine = book(1, 3)
    was = mine.window

    answer = drag(
        browser, mine, was.starts_at + timedelta(hours=2), was.ends_at + timedelta(hours=3)
    )

    assert (answer.status_code, answer.json()) == (200, {"problems": []})
    assert window_of(mine).length == timedelta(hours=3)


@pytest.mark.parametrize("hours", [-0.5, 0, 1])
def test_of_what_runs_the_end_moves(browser: Client, book: Book, hours: float) -> None:
    mine = _running(book)
    ends_at = mine.ends_at + timedelta(hours=hours)

    assert drag(browser, mine, mine.starts_at, ends_at).status_code == 200
    assert window_of(mine).ends_at == ends_at


def test_what_runs_does_not_start_at_another_time(browser: Client, book: Book) -> None:
    mine = _running(book)
    later = timedelta(hours=1)

    answer = drag(browser, mine, mine.starts_at + later, mine.ends_at + later)

    assert answer.status_code == 422
    assert answer.json()["problems"] == ["It has started: only its end can be changed."]


def test_every_rule_against_it_is_said(browser: Client, book: Book) -> None:
    mine = book(1, 3)
    was = mine.window

    answer = drag(
        browser, mine, was.starts_at - timedelta(days=2), was.ends_at + timedelta(days=90)
    )

    assert answer.status_code == 422
    assert len(answer.json()["problems"]) >= 2
    assert window_of(mine) == was


def test_a_full_pool_says_what_is_short_and_when_it_is_not(
    browser: Client, book: Book, pool: Pool, team: Team
) -> None:
    mine = book(1, 3)
    later = Window(at_hours(mine.ends_at, 2), at_hours(mine.ends_at, 6))
    make.closure(of=pool, at=later)

    answer = drag(browser, mine, later.starts_at, later.ends_at)

    headline, *lines = answer.json()["problems"]
    assert headline == "There is no room for this in that window."
    assert "MIG slice 1g.24gb: you asked for 1, 0 free throughout on one server." in lines
    assert lines[-1].startswith("It fits from ")
    assert window_of(mine) == mine.window


def test_a_window_that_cannot_be_read_changes_nothing(browser: Client, book: Book) -> None:
    mine = book(1, 3)

    backwards = drag(browser, mine, mine.ends_at, mine.starts_at)
    nothing = browser.post(reverse("portal:drag", args=[mine.public_id]), {"starts_at": "soon"})

    assert (backwards.status_code, nothing.status_code) == (422, 422)
    assert window_of(mine) == mine.window


def test_a_viewer_and_a_stranger_drag_nothing(client: Client, book: Book, team: Team) -> None:
    mine = book(1, 3)
    viewer: User = make.user()
    make.membership(whose=viewer, of=team, role=MembershipRole.VIEWER)
    for person in (viewer, make.user()):
        client.force_login(person)
        assert drag(client, mine, mine.starts_at, mine.ends_at).status_code == 404


def _running(book: Book) -> Reservation:
    mine = book(0, 2)
    Reservation.objects.filter(pk=mine.pk).update(state=State.ACTIVE)
    return Reservation.objects.get(pk=mine.pk)
