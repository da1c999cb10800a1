"""The admin site: who sees which rows, and that only services change them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import Membership, MembershipRole, OrganisationRole, Team, User
from gpuaas.audit.models import AuditEvent
from gpuaas.inventory.models import Cluster, Pool
from reservations import services
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import BookingFlag, BookingTemplate, PoolRules, Reservation, TeamRules
from reservations.recurrence import Every, Repeat
from reservations.trouble import Cause
from tests import make

Book = Callable[..., Reservation]
FOR_MANAGERS = [
    "accounts_team",
    "accounts_membership",
    "audit_auditevent",
    "reservations_reservation",
    "gpu_sessions_workspacesession",
]
FOR_PLATFORM = [
    "accounts_user",
    "audit_auditlink",
    "inventory_closure",
    "inventory_cluster",
    "inventory_pool",
    "inventory_node",
    "inventory_device",
]
READ_ONLY = ["audit_auditevent", "reservations_reservation", "gpu_sessions_workspacesession"]


@pytest.fixture
def manager(client: Client, team: Team) -> Client:
    client.force_login(make.user(teams=(team,), role=MembershipRole.MANAGER))
    # add_member made them staff after the row was read
    return client


@pytest.fixture
def platform_admin(db: None) -> Client:
    client = Client()
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    return client


def changelist(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


@pytest.mark.parametrize("name", FOR_MANAGERS + FOR_PLATFORM)
def test_a_platform_administrator_sees_every_list(
    platform_admin: Client, book: Book, name: str
) -> None:
    book(1, 2)

    assert platform_admin.get(changelist(name)).status_code == 200


@pytest.mark.parametrize(
    ("name", "status"),
    [(name, 200) for name in FOR_MANAGERS] + [(name, 403) for name in FOR_PLATFORM],
)
def test_a_manager_sees_the_lists_that_are_narrowed_to_the_team(
    manager: Client, name: str, status: int
) -> None:
    assert manager.get(changelist(name)).status_code == status


def test_a_manager_sees_only_rows_of_the_own_team(manager: Client, book: Book) -> None:
    own = book(1, 2)
    make.admitted(wish=make.wish())

    seen = manager.get(changelist("reservations_reservation")).context["cl"].result_list
    events = manager.get(changelist("audit_auditevent")).context["cl"].result_list

    assert [each.pk for each in seen] == [own.pk]
    assert {each.team for each in events} == {own.team}


def test_a_member_is_not_let_in(browser: Client) -> None:
    assert browser.get(reverse("admin:index")).status_code == 302


@pytest.mark.parametrize("name", READ_ONLY)
def test_nothing_can_be_added_to_what_services_own(platform_admin: Client, name: str) -> None:
    assert platform_admin.get(reverse(f"admin:{name}_add")).status_code == 403


def test_a_row_of_the_trail_can_be_neither_changed_nor_deleted(
    platform_admin: Client, book: Book
) -> None:
    book(1, 2)
    event = AuditEvent.objects.latest("pk")

    for verb in ("change", "delete"):
        address = reverse(f"admin:audit_auditevent_{verb}", args=[event.pk])
        assert platform_admin.post(address, {"action": "forged"}).status_code == 403


def test_canceling_goes_through_the_service(manager: Client, book: Book) -> None:
    chosen, over = book(1, 2), book(3, 4)
    Reservation.objects.filter(pk=over.pk).update(state=State.COMPLETED)

    answer = manager.post(
        changelist("reservations_reservation"),
        {"action": "cancel_chosen", "_selected_action": [chosen.pk, over.pk]},
        follow=True,
    )

    chosen.refresh_from_db()
    over.refresh_from_db()
    assert (chosen.state, over.state) == (State.CANCELED, State.COMPLETED)
    assert b"1 canceled" in answer.content
    assert b"cannot go from COMPLETED" in answer.content
    assert AuditEvent.objects.filter(action="reservation.canceled").count() == 1


@pytest.mark.parametrize(
    ("action", "reason", "state", "said"),
    [
        ("approve_chosen", "", State.APPROVED, b"1 approved"),
        ("reject_chosen", "next week", State.CANCELED, b"1 rejected"),
        ("reject_chosen", "", State.PENDING, b"say why it is rejected"),
    ],
)
def test_managers_decide_what_waits_for_them(
    *,
    action: str,
    reason: str,
    state: State,
    said: bytes,
    manager: Client,
    team: Team,
    pool: Pool,
) -> None:
    now = timezone.now()
    soon = Window(now + timedelta(hours=1), now + timedelta(hours=2))
    waits, other = (
        make.reservation(of=pool, by=team, at=soon, state=each, created_at=now)
        for each in (State.PENDING, State.APPROVED)
    )

    answer = manager.post(
        changelist("reservations_reservation"),
        {"action": action, "reason": reason, "_selected_action": [waits.pk, other.pk]},
        follow=True,
    )

    waits.refresh_from_db()
    assert waits.state == state
    assert said in answer.content
    assert b"it does not wait for an approval" in answer.content


def test_a_membership_made_here_carries_the_managers_grant(
    platform_admin: Client, team: Team
) -> None:
    person: User = make.user()

    platform_admin.post(
        reverse("admin:accounts_membership_add"),
        {
            "team": team.pk,
            "person": person.username,
            "role": "manager",
            "expires_at_0": "",
            "expires_at_1": "",
        },
    )

    person = User.objects.get(pk=person.pk)
    assert Membership.objects.get(user=person).role == MembershipRole.MANAGER
    assert person.is_staff


def test_giving_back_goes_through_the_service(manager: Client, book: Book) -> None:
    running, not_begun = book(1, 2), book(3, 4)
    Reservation.objects.filter(pk=running.pk).update(state=State.ACTIVE)
    chosen = [running.pk, not_begun.pk]

    answer = manager.post(
        changelist("reservations_reservation"),
        {"action": "give_back_chosen", "_selected_action": chosen},
        follow=True,
    )

    running.refresh_from_db()
    not_begun.refresh_from_db()
    assert (running.state, not_begun.state) == (State.COMPLETED, State.APPROVED)
    assert b"1 given back" in answer.content


def test_extending_goes_through_the_service(manager: Client, book: Book) -> None:
    free, before, after = book(1, 2), book(3, 4), book(4, 5)
    Reservation.objects.filter(pk=free.pk).update(state=State.COMPLETED)
    asked = {"action": "extend_chosen", "_selected_action": [free.pk, before.pk], "hours": 2}

    answer = manager.post(changelist("reservations_reservation"), asked, follow=True)

    ends = before.ends_at
    for each in (free, before, after):
        each.refresh_from_db()
    assert before.ends_at == ends + timedelta(hours=2)
    assert b"1 extended" in answer.content


@pytest.mark.parametrize("hours", ["", "0", "169", "-1", "two", "9999"])
def test_nothing_is_extended_by_no_hours(manager: Client, book: Book, hours: str) -> None:
    one = book(1, 2)
    asked = {"action": "extend_chosen", "_selected_action": [one.pk], "hours": hours}

    answer = manager.post(changelist("reservations_reservation"), asked, follow=True)

    assert Reservation.objects.get(pk=one.pk).ends_at == one.ends_at
    assert b"extended" not in answer.content


def test_from_the_list_one_books_and_moves(manager: Client, book: Book) -> None:
    one = book(1, 2)

    page = manager.get(changelist("reservations_reservation")).content.decode()

    assert reverse("portal:book") in page
    assert reverse("portal:change", args=[one.public_id]) in page


@pytest.mark.parametrize("name", ["series", "bookingtemplate"])
def test_a_list_of_series_and_templates_costs_the_same_however_long_it_is(
    platform_admin: Client, name: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(6):
        pool, team = make.pool(), make.team()
        person = make.user(teams=[team])
        repeat = Repeat(Every.DAY, ZoneInfo("UTC"), count=3)
        wish = make.wish(at=make.window(1, 2))
        whose: dict[str, Any] = {"pool": pool, "team": team, "requested_by": person}
        services.book_series(**whose, wish=wish, repeat=repeat, now=make.NOON)
        BookingTemplate.objects.create(
            pool=pool,
            team=team,
            owner=person,
            name=f"t{number}",
            resource_name=make.SLICE,
            units=1,
            minutes=60,
            created_at=make.NOON,
        )

    with django_assert_max_num_queries(8):
        platform_admin.get(changelist(f"reservations_{name}"))


@pytest.mark.parametrize("name", ["device", "node", "closure", "pool", "cluster"])
def test_a_list_of_hardware_costs_the_same_however_long_it_is(
    platform_admin: Client, name: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        pool = make.pool(nodes=3)
        make.closure(of=pool, at=make.window(1, 2))

    with django_assert_max_num_queries(11):
        platform_admin.get(changelist(f"inventory_{name}"))


@pytest.mark.parametrize("name", ["teamrules", "poolrules", "unitprice", "bookingflag"])
def test_a_list_of_rules_and_flags_costs_the_same_however_long_it_is(
    platform_admin: Client, name: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(8):
        pool, team = make.pool(), make.team()
        TeamRules.objects.create(team=team)
        PoolRules.objects.create(pool=pool)
        BookingFlag.objects.create(
            reservation=make.reservation(of=pool, by=team),
            cause=Cause.DEVICE.value,
            detail="x",
            since=make.NOON,
        )

    with django_assert_max_num_queries(8):
        platform_admin.get(changelist(f"reservations_{name}"))


def test_a_pool_is_shared_in_the_admin_site_by_the_same_rules(platform_admin: Client) -> None:
    pool = make.pool()
    address = reverse("admin:inventory_pool_change", args=[pool.pk])
    typed = {"name": "Lab", "description": "", "is_shared": "on", "shared_because": "demos"}

    platform_admin.post(address, {**typed, "shared_because": ""})
    pool.refresh_from_db()
    assert not pool.is_shared
    platform_admin.post(address, typed)
    pool.refresh_from_db()

    assert (pool.name, pool.is_shared, pool.shared_because) == ("Lab", True, "demos")
    assert AuditEvent.objects.get(action="pool.sharing_changed").data["reason"] == "demos"


def test_a_word_that_is_refused_is_told_in_the_admin_site(platform_admin: Client) -> None:
    pool = make.pool()
    Cluster.objects.update(gpu_backend="dra")

    answer = platform_admin.post(
        reverse("admin:inventory_pool_change", args=[pool.pk]),
        {"name": pool.name, "description": "", "is_shared": "on", "shared_because": "demos"},
        follow=True,
    )

    assert "there is nothing to share between teams" in answer.content.decode()
    pool.refresh_from_db()
    assert not pool.is_shared


def test_each_row_of_bookings_leads_into_the_calendar(platform_admin: Client) -> None:
    booked = make.reservation(at=Window(timezone.now(), timezone.now() + timedelta(hours=1)))

    page = platform_admin.get(changelist("reservations_reservation")).content.decode()

    where = f"?pool={booked.pool.slug}&amp;day={booked.starts_at:%Y-%m-%d}"
    assert f"{reverse('portal:timeline')}{where}" in page
