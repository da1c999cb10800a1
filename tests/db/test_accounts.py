"""Who belongs where, and until when."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from gpuaas.accounts import permissions, selectors, services
from gpuaas.accounts.models import Membership, MembershipRole, OrganisationRole, Team, User
from gpuaas.audit.models import AuditEvent
from tests import make

pytestmark = pytest.mark.django_db


def visible(user: User, *, hour: float = 0) -> set[Team]:
    return set(selectors.teams_visible_to(user, now=make.at(hour)))


def bookable(user: User, *, hour: float = 0) -> set[Team]:
    return set(selectors.teams_bookable_by(user, now=make.at(hour)))


@pytest.mark.parametrize(
    ("role", "books"),
    [(MembershipRole.MEMBER, True), (MembershipRole.MANAGER, True), (MembershipRole.VIEWER, False)],
)
def test_what_a_role_may(role: MembershipRole, books: bool) -> None:
    team, _other = make.team(), make.team()
    user = make.user(teams=[team], role=role)

    assert visible(user) == {team}
    assert bookable(user) == ({team} if books else set())


@pytest.mark.parametrize(
    ("role", "sees_all"),
    [
        (OrganisationRole.NONE, False),
        (OrganisationRole.FINANCE, True),
        (OrganisationRole.PLATFORM_ADMIN, True),
    ],
)
def test_what_an_organisation_role_may(role: OrganisationRole, sees_all: bool) -> None:
    team = make.team()
    user = make.user(organisation_role=role)

    assert visible(user) == ({team} if sees_all else set())
    assert bookable(user) == set()


def test_a_membership_ends_at_the_instant_it_expires() -> None:
    team, user = make.team(), make.user()
    make.membership(of=team, whose=user, expires_at=make.at(1))

    assert visible(user, hour=0.99) == bookable(user, hour=0.99) == {team}
    assert visible(user, hour=1) == bookable(user, hour=1) == set()
    assert list(selectors.memberships_of(user, now=make.at(1))) == []


@pytest.mark.parametrize("organisation_role", list(OrganisationRole))
def test_who_is_switched_off_sees_nothing(organisation_role: OrganisationRole) -> None:
    team = make.team()
    user = make.user(teams=[team], organisation_role=organisation_role, is_active=False)

    assert visible(user) == bookable(user) == set()
    assert not permissions.may_manage_team(user=user, team=team, now=make.NOON)


def test_a_manager_may_manage_that_team_and_enter_the_admin() -> None:
    team, other = make.team(), make.team()
    user = make.user(teams=[team], role=MembershipRole.MANAGER)

    user = User.objects.get(pk=user.pk)
    assert user.is_staff
    assert permissions.may_manage_team(user=user, team=team, now=make.NOON)
    assert not permissions.may_manage_team(user=user, team=other, now=make.NOON)


def test_who_is_no_manager_any_more_may_not_manage() -> None:
    team = make.team()
    user = make.user(teams=[team], role=MembershipRole.MANAGER)

    make.membership(of=team, whose=user, role=MembershipRole.MEMBER)

    user = User.objects.get(pk=user.pk)  # permissions are cached on the object
    assert not permissions.may_manage_team(user=user, team=team, now=make.NOON)
    membership = Membership.objects.get(team=team, user=user)
    assert str(membership) == f"{user} in {team} (member)"


def test_a_managers_powers_expire_with_the_membership() -> None:
    team, user = make.team(), make.user()
    make.membership(of=team, whose=user, role=MembershipRole.MANAGER, expires_at=make.at(1))

    user = User.objects.get(pk=user.pk)
    assert permissions.may_manage_team(user=user, team=team, now=make.at(0.99))
    assert not permissions.may_manage_team(user=user, team=team, now=make.at(1))


def test_a_platform_administrator_may_manage_every_team() -> None:
    user = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)

    assert permissions.may_manage_team(user=user, team=make.team(), now=make.NOON)
    assert user.is_superuser


def test_a_member_once_per_team() -> None:
    team = make.team()
    user = make.user(teams=[team])

    with pytest.raises(IntegrityError, match="membership_once_per_team"), transaction.atomic():
        Membership.objects.create(team=team, user=user, granted_at=make.NOON)


def test_a_membership_cannot_expire_before_it_is_granted() -> None:
    with (
        pytest.raises(IntegrityError, match="membership_expires_after_it_is_granted"),
        transaction.atomic(),
    ):
        make.membership(
            of=make.team(), whose=make.user(), expires_at=make.NOON - timedelta(days=999)
        )


def test_an_existing_person_is_left_as_they_are() -> None:
    before = make.user(username="ada")

    after = services.ensure_user(
        username="ada",
        password="another one",  # noqa: S106
        email="x@example.com",
        now=make.NOON,
    )

    assert after == before
    assert after.check_password(make.PASSWORD)
    assert after.email == before.email


def test_an_existing_team_is_left_as_it_is() -> None:
    before = services.ensure_team(name="Vision", slug="vision", cost_centre="CC-1", now=make.NOON)

    after = services.ensure_team(name="Other", slug="vision", now=make.NOON)

    assert (after.pk, after.name, after.cost_centre) == (before.pk, "Vision", "CC-1")
    assert str(after) == "Vision"


@pytest.mark.parametrize(("other_teams", "stays"), [(0, False), (1, True)])
def test_who_manages_no_team_any_more_has_no_way_into_the_admin_site(
    other_teams: int,
    stays: bool,
) -> None:
    teams = [make.team() for _ in range(1 + other_teams)]
    manager = make.user(teams=teams, role=MembershipRole.MANAGER)

    make.membership(of=teams[0], whose=manager, role=MembershipRole.MEMBER)

    manager.refresh_from_db()
    assert manager.is_staff is stays


def test_createsuperuser_makes_a_platform_administrator() -> None:
    call_command("createsuperuser", interactive=False, username="root", email="r@example.com")

    assert User.objects.get(username="root").is_platform_admin


@pytest.mark.parametrize(
    "columns", [{"is_superuser": True}, {"organisation_role": OrganisationRole.PLATFORM_ADMIN}]
)
def test_superusers_and_platform_administrators_are_the_same(columns: dict[str, Any]) -> None:
    person = make.user()

    with (
        pytest.raises(IntegrityError, match="superusers_are_the_platform_administrators"),
        transaction.atomic(),
    ):
        User.objects.filter(pk=person.pk).update(**columns)


def test_a_person_is_written_down_once_and_a_manager_stays_on_the_staff() -> None:
    person = make.user(teams=[make.team()], role=MembershipRole.MANAGER)
    person.refresh_from_db()
    person.first_name = "Ada"

    for _ in range(2):
        services.keep_person(person=person, actor=None, now=make.NOON)

    (event,) = AuditEvent.objects.filter(action="person.changed")
    assert event.data["from_to"] == {"first_name": ["", "Ada"]}
    assert person.is_staff


def test_what_is_made_at_the_start_is_written_down_once() -> None:
    for _ in range(2):
        team = services.ensure_team(name="New", slug="new", now=make.NOON)
        person = services.ensure_user(
            username="new", password=make.PASSWORD, email="new@example.com", now=make.NOON
        )
        services.add_member(
            team=team, user=person, role=MembershipRole.MEMBER, granted_by=None, now=make.NOON
        )

    actions = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["team.created", "person.created", "member.added"]
