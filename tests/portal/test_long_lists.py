"""Lists that grow for ever: nothing is counted, and a page costs the same however many there are.

How long they take with 10^6 rows is measured by benchmarks/lists.py.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team
from gpuaas.core import paging
from gpuaas.core.admin import ReadOnlyAdmin
from gpuaas.inventory.models import Pool
from gpuaas.notifications import services as notifications
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation
from tests import make
from tests.notifications.tellers import announce

pytestmark = pytest.mark.django_db
RESERVATIONS = "/admin/reservations/reservation/"
# Login, rights and, for managers, whether and what they manage are in it.
MOST_QUERIES = 13


def changelists() -> Iterator[str]:
    for model in filter(admin.site.is_registered, apps.get_models()):
        page = admin.site.get_model_admin(model)
        if isinstance(page, ReadOnlyAdmin):
            yield f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist"


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={make.SLICE: 8})


@pytest.fixture
def administrator() -> Client:
    client = Client()
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    return client


def bookings(pool: Pool, team: Team, count: int, *, days_ago: float = 1) -> list[Reservation]:
    starts_at = timezone.now() - timedelta(days=days_ago)
    return [
        make.reservation(
            of=pool,
            by=team,
            at=Window(starts_at, starts_at + timedelta(hours=1)),
            state=State.COMPLETED,
        )
        for _ in range(count)
    ]


def sql_of(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return [each["sql"] for each in captured.captured_queries]


@pytest.mark.parametrize("caller", ["administrator", "manager"])
def test_a_row_more_is_no_query_more(
    caller: str, administrator: Client, team: Team, pool: Pool
) -> None:
    client = administrator
    if caller == "manager":
        client = Client()
        client.force_login(make.user(teams=[team], role=MembershipRole.MANAGER))
    sessions = "/admin/gpu_sessions/workspacesession/"

    def cost(address: str) -> int:
        return len(sql_of(client, address))

    make.session(of=bookings(pool, team, 1)[0])
    few = [cost(address) for address in (RESERVATIONS, sessions)]
    for each in bookings(pool, team, 8):
        make.session(of=each)

    assert [cost(address) for address in (RESERVATIONS, sessions)] == few
    assert max(few) <= MOST_QUERIES


@pytest.mark.parametrize("name", sorted(changelists()))
def test_no_list_of_the_admin_site_counts_all_rows(name: str, administrator: Client) -> None:
    asked = [
        sql
        for query in ("", "?_facets=True")
        for sql in sql_of(administrator, f"{reverse(name)}{query}")
    ]
    counting = [sql for sql in asked if "COUNT(" in sql and "LIMIT" not in sql]
    distinct = [sql for sql in asked if "DISTINCT" in sql]

    assert counting == []
    # What devices and groups there are is short; what was booked, sent or done is not.
    assert all('FROM "inventory_' in sql or 'FROM "identity_' in sql for sql in distinct)


def test_the_list_of_bookings_goes_back_as_far_as_one_asks(
    administrator: Client, team: Team, pool: Pool
) -> None:
    by_age = {days: bookings(pool, team, 1, days_ago=days)[0] for days in (1, 60, 200, 800)}

    def seen(query: str) -> list[int]:
        rows = administrator.get(f"{RESERVATIONS}{query}").context["cl"].result_list
        return sorted(days for days, each in by_age.items() if each in rows)

    assert seen("") == [1]
    assert seen("?since=quarter") == [1, 60]
    assert seen("?since=year") == [1, 60, 200]
    assert seen("?since=any") == [1, 60, 200, 800]
    # Who knows the number need not know when it was.
    assert seen(f"?q={by_age[800].public_id}") == [800]
    assert seen(f"?q=reservation:{by_age[200].public_id}") == [200]


def test_searching_bookings(administrator: Client, team: Team, pool: Pool) -> None:
    own, other = bookings(pool, team, 2)
    Reservation.objects.filter(pk=own.pk).update(purpose="Fine-tuning")
    name = other.requested_by.username

    def seen(query: str) -> set[int]:
        rows = administrator.get(f"{RESERVATIONS}{query}").context["cl"].result_list
        return {each.pk for each in rows}

    assert seen(f"?q={name}") == {other.pk}
    assert seen("?q=fine") == {own.pk}
    assert seen("?q=fine&since=any") == set()  # that would read every booking there was
    assert seen(f"?q={name}&since=any") == {other.pk}
    assert seen("?q=%20") == {own.pk, other.pk}
    assert seen(f"?type={make.SLICE}") == {own.pk, other.pk}
    assert seen(f"?type={make.GPU}") == set()


def test_each_row_leads_to_the_portal(administrator: Client, team: Team, pool: Pool) -> None:
    (booked,) = bookings(pool, team, 1)

    page = administrator.get(RESERVATIONS).content.decode()

    assert reverse("portal:reservation", args=[booked.public_id]) in page


def test_pages_of_an_uncounted_list(
    team: Team, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bookings(pool, team, 5)
    rows = Reservation.objects.all()
    monkeypatch.setattr(paging, "DEEPEST", 3)

    pages = {
        asked: (leaf.number, leaf.start_index, leaf.end_index, leaf.has_previous, leaf.has_next)
        for asked in (None, "1", "2", "3", "4", "0", "-1", "x", "²", "9" * 5000)
        for leaf in [paging.leaf_of(rows, asked, per_page=2)]
    }

    first, second, third = (1, 1, 2, False, True), (2, 3, 4, True, True), (3, 5, 5, True, False)
    assert pages == {
        **dict.fromkeys((None, "1", "0", "-1", "x", "²", "9" * 5000), first),
        "2": second,
        "3": third,
        "4": third,
    }
    monkeypatch.setattr(paging, "DEEPEST", 2)
    assert not paging.leaf_of(rows, "2", per_page=2).has_next
    assert paging.leaf_of(rows, "2", per_page=5).number == 1  # it has become shorter
    assert paging.leaf_of(rows.none(), "1", per_page=5).start_index == 0


def test_the_admin_site_has_pages_of_the_first_rows_only(
    team: Team, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bookings(pool, team, 5)
    monkeypatch.setattr(paging, "MOST", 4)

    assert paging.ShortPaginator(Reservation.objects.all(), 3).num_pages == 2
    assert paging.ShortPaginator(Reservation.objects.all(), 3).count == 4
    assert paging.ShortPaginator([1, 2, 3, 4, 5], 3).count == 4


def test_searching_deliveries(administrator: Client) -> None:
    team = make.team()
    people = [make.user(teams=[team]) for _ in range(2)]
    for number, person in enumerate(people):
        announce(team=team, to=person, key=f"key-{number}", at=timezone.now())
    notifications.fan_out(now=timezone.now())

    def seen(text: str) -> set[str | None]:
        page = administrator.get("/admin/notifications/delivery/", {"q": text})
        rows = page.context["cl"].result_list
        return {each.person and each.person.username for each in rows}

    first, second = (person.username for person in people)
    assert {first, second} <= seen("")
    assert seen(first) == seen("key-0") == {first}
    assert seen("key") == set()
