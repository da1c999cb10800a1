"""People, teams and members in the admin site: through the services, and one's own only."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import Membership, MembershipRole, OrganisationRole, Team, User
from gpuaas.audit.models import AuditEvent
from tests import make

pytestmark = pytest.mark.django_db
MEMBERS = reverse("admin:accounts_membership_changelist")
NO_END = {"expires_at_0": "", "expires_at_1": ""}


@pytest.fixture
def boss(team: Team) -> User:
    return make.user(teams=[team], role=MembershipRole.MANAGER, username="boss")


@pytest.fixture
def manager(client: Client, boss: User) -> Client:
    client.force_login(boss)
    return client


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    return client


def at(verb: str, of: Membership) -> str:
    return reverse(f"admin:accounts_membership_{verb}", args=[of.pk])


def told(action: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action))


def post(client: Client, where: str, data: dict[str, Any]) -> str:
    return client.post(where, data, follow=True).content.decode()


def test_a_manager_adds_changes_and_removes_people_of_the_own_team(
    manager: Client, team: Team
) -> None:
    person = make.user(username="newcomer")
    add = reverse("admin:accounts_membership_add")

    post(manager, add, {"team": team.pk, "person": "newcomer", "role": "viewer", **NO_END})
    made = Membership.objects.get(user=person)
    assert (made.team, made.role) == (team, MembershipRole.VIEWER)

    post(manager, at("change", made), {"role": "member", **NO_END})
    made.refresh_from_db()
    assert made.role == MembershipRole.MEMBER

    post(manager, at("delete", made), {"post": "yes"})
    assert not Membership.objects.filter(user=person).exists()
    for action in ("member.added", "member.changed", "member.removed"):
        assert [each.team for each in told(action)] == [team]


def test_a_manager_neither_sees_nor_adds_to_another_team(manager: Client) -> None:
    other = make.team(slug="secret")
    theirs = make.membership(of=other, whose=make.user(username="unseen-one"))
    typed = {"team": other.pk, "person": "boss", "role": "manager", **NO_END}

    page = manager.get(MEMBERS).content.decode()
    form = post(manager, reverse("admin:accounts_membership_add"), typed)

    assert "unseen-one" not in page
    assert "Secret" not in page + form
    assert Membership.objects.filter(team=other).count() == 1
    for verb in ("change", "delete"):
        assert manager.post(at(verb, theirs), {"post": "yes"}).status_code == 302
    theirs.refresh_from_db()


@pytest.mark.parametrize("who", ["manager", "admin"])
def test_the_last_manager_stays(
    request: pytest.FixtureRequest, team: Team, boss: User, who: str
) -> None:
    client: Client = request.getfixturevalue(who)
    own = Membership.objects.get(user=boss)

    pages = [
        post(client, at("change", own), {"role": "viewer", **NO_END}),
        post(client, at("delete", own), {"post": "yes"}),
        post(client, MEMBERS, {"action": "remove_chosen", "_selected_action": [own.pk]}),
    ]

    assert all("would have no manager" in page for page in pages)
    own.refresh_from_db()
    assert own.role == MembershipRole.MANAGER


def test_chosen_people_are_taken_out(manager: Client, team: Team) -> None:
    chosen = [make.membership(of=team, whose=make.user()).pk for _ in range(3)]

    page = post(manager, MEMBERS, {"action": "remove_chosen", "_selected_action": chosen})

    assert "3 taken out" in page
    assert "delete_selected" not in page
    assert len(told("member.removed")) == 3


def test_teams_are_made_and_changed_through_the_service(admin: Client) -> None:
    typed = {"name": "New", "slug": "new", "cost_centre": "CC-1", "description": ""}

    post(admin, reverse("admin:accounts_team_add"), typed)
    made = Team.objects.get(slug="new")
    page = post(
        admin, reverse("admin:accounts_team_change", args=[made.pk]), {**typed, "name": "X"}
    )

    made.refresh_from_db()
    assert (made.name, made.is_active) == ("X", False)  # the box was not ticked
    assert len(told("team.created")) == len(told("team.changed")) == 1
    assert reverse("portal:team", args=["new"]) in page


def test_people_are_written_down_with_what_changed(admin: Client) -> None:
    typed = {"username": "newbie", "password1": make.PASSWORD, "password2": make.PASSWORD}
    post(admin, reverse("admin:accounts_user_add"), {**typed, "usable_password": "true"})
    made = User.objects.get(username="newbie")
    change = reverse("admin:accounts_user_change", args=[made.pk])

    post(admin, change, {"username": "newbie", "organisation_role": "platform_admin"})
    post(
        admin,
        reverse("admin:auth_user_password_change", args=[made.pk]),
        {"password1": "another " + make.PASSWORD, "password2": "another " + make.PASSWORD},
    )

    made.refresh_from_db()
    assert (made.is_superuser, made.is_staff, made.is_active) == (True, True, False)
    (created,), (changed,), (password,) = (
        told(f"person.{what}") for what in ("created", "changed", "password_set")
    )
    assert created.data["from_to"]["username"] == [None, "newbie"]
    assert changed.data["from_to"] == {
        "is_active": [True, False],
        "organisation_role": ["", "platform_admin"],
    }
    assert "another" not in str(password.data)


@pytest.mark.parametrize("name", ["user", "team", "membership", "apitoken"])
def test_a_list_costs_the_same_however_long_it_is(
    admin: Client, team: Team, name: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(10):
        make.user(teams=[team, make.team()])

    with django_assert_max_num_queries(9):
        admin.get(reverse(f"admin:accounts_{name}_changelist"))
