"""Teams and their members: who may change what, and that it is written down."""

import pytest

from gpuaas.accounts import permissions, selectors, services
from gpuaas.accounts.models import (
    Membership,
    MembershipRole,
    MembershipSource,
    OrganisationRole,
    Team,
    User,
)
from gpuaas.audit.models import AuditEvent
from tests import make

pytestmark = pytest.mark.django_db
MANAGER, MEMBER, VIEWER = MembershipRole.MANAGER, MembershipRole.MEMBER, MembershipRole.VIEWER


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def manager(team: Team) -> User:
    return make.user(teams=[team], role=MANAGER)


@pytest.fixture
def admin() -> User:
    return make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)


def of(user: User, team: Team) -> Membership:
    return Membership.objects.select_related("team", "user").get(user=user, team=team)


def change(who: User, team: Team, role: MembershipRole, by: User, hours: float = 0) -> Membership:
    return services.change_member(
        membership=of(who, team),
        role=role,
        expires_at=make.at(hours) if hours else None,
        actor=by,
        now=make.NOON,
    )


def invite(who: User, team: Team, by: User, *, hours: float = 0) -> Membership:
    return services.invite(
        team=team,
        user=who,
        role=MEMBER,
        expires_at=make.at(hours) if hours else None,
        actor=by,
        now=make.NOON,
    )


def last_event() -> AuditEvent:
    return AuditEvent.objects.latest("pk")


def test_an_administrator_makes_changes_and_archives_a_team(admin: User) -> None:
    team = services.create_team(name="New", slug="new", actor=admin, now=make.NOON)
    member = make.user(teams=[team])

    services.change_team(
        team=team, changes={"is_active": False, "name": "New"}, actor=admin, now=make.NOON
    )
    services.change_team(team=team, changes={"is_active": False}, actor=admin, now=make.NOON)

    assert AuditEvent.objects.filter(action="team.changed").count() == 1
    assert last_event().data == {"from_to": {"is_active": [True, False]}}
    assert list(selectors.teams_visible_to(member, now=make.NOON)) == [team]
    assert list(selectors.teams_bookable_by(member, now=make.NOON)) == []


def test_nobody_else_does(manager: User, team: Team) -> None:
    with pytest.raises(services.NotYours, match="platform administrators: ask one"):
        services.create_team(name="New", slug="new", actor=manager, now=make.NOON)
    with pytest.raises(services.NotYours):
        services.change_team(team=team, changes={"name": "x"}, actor=manager, now=make.NOON)


def test_a_name_belongs_to_one_team(admin: User, team: Team) -> None:
    with pytest.raises(services.TeamTaken):
        services.create_team(name="Other", slug=team.slug, actor=admin, now=make.NOON)
    other = make.team()
    with pytest.raises(services.TeamTaken):
        services.change_team(team=other, changes={"name": team.name}, actor=admin, now=make.NOON)


def test_a_manager_lets_somebody_in_changes_them_and_takes_them_out(
    team: Team, manager: User
) -> None:
    person = make.user()

    invite(person, team, manager, hours=4)
    assert last_event().data["role"] == [None, "member"]
    change(person, team, VIEWER, manager)
    assert last_event().data["role"] == ["member", "viewer"]
    assert last_event().data["expires_at"] == [make.at(4).isoformat(), None]
    before = AuditEvent.objects.count()
    change(person, team, VIEWER, manager)
    assert AuditEvent.objects.count() == before
    membership = of(person, team)
    services.remove_member(membership=membership, actor=manager, now=make.NOON)
    services.remove_member(membership=membership, actor=manager, now=make.NOON)

    assert last_event().data == {"was": "viewer"}
    assert not Membership.objects.filter(user=person).exists()


def test_somebody_in_the_team_is_not_let_in_again(team: Team, manager: User) -> None:
    member = make.user(teams=[team])

    with pytest.raises(services.AlreadyMember, match="change the role instead"):
        invite(member, team, manager)


def test_who_left_can_come_back(team: Team, manager: User) -> None:
    leaver = make.user()
    make.membership(of=team, whose=leaver, expires_at=make.NOON)

    assert invite(leaver, team, manager).is_current(make.NOON)


@pytest.mark.parametrize("role", [MEMBER, VIEWER, None])
def test_only_managers_of_the_team_touch_its_members(
    team: Team, manager: User, role: MembershipRole | None
) -> None:
    actor = make.user(teams=[team], role=role) if role else make.user(teams=[make.team()])

    with pytest.raises(services.NotManager):
        invite(make.user(), team, actor)
    with pytest.raises(services.NotManager):
        change(manager, team, VIEWER, actor)
    with pytest.raises(services.NotManager):
        services.remove_member(membership=of(manager, team), actor=actor, now=make.NOON)


def test_the_last_manager_stays_until_there_is_another(team: Team, manager: User) -> None:
    make.membership(of=team, whose=make.user(), role=MANAGER, expires_at=make.at(9))

    with pytest.raises(services.LastManager):
        change(manager, team, MEMBER, manager)
    with pytest.raises(services.LastManager):
        change(manager, team, MANAGER, manager, hours=1)
    with pytest.raises(services.LastManager):
        services.remove_member(membership=of(manager, team), actor=manager, now=make.NOON)
    make.user(teams=[team], role=MANAGER)
    services.remove_member(membership=of(manager, team), actor=manager, now=make.NOON)

    manager.refresh_from_db()
    assert not manager.is_staff


def test_nobody_raises_themselves(team: Team, admin: User) -> None:
    with pytest.raises(services.NotRaisable):
        invite(admin, team, admin)
    make.membership(of=team, whose=admin, role=VIEWER, expires_at=make.at(1))
    with pytest.raises(services.NotRaisable):
        change(admin, team, MANAGER, admin, hours=1)
    with pytest.raises(services.NotRaisable):
        change(admin, team, VIEWER, admin)


def test_what_the_directory_gives_is_not_changed_by_hand(team: Team, manager: User) -> None:
    person = make.user(teams=[team])
    Membership.objects.filter(user=person).update(source=MembershipSource.DIRECTORY)

    with pytest.raises(services.FromDirectory):
        change(person, team, VIEWER, manager)
    with pytest.raises(services.FromDirectory):
        services.remove_member(membership=of(person, team), actor=manager, now=make.NOON)


def test_a_membership_does_not_end_in_the_past(team: Team, manager: User) -> None:
    with pytest.raises(services.ExpiryPast):
        invite(make.user(), team, manager, hours=-1)


def test_the_grants_of_managers_whose_time_is_over_are_dropped(team: Team, manager: User) -> None:
    leaver = make.user()
    make.membership(of=team, whose=leaver, role=MANAGER, expires_at=make.at(1))

    assert services.drop_expired_grants(now=make.NOON) == 0
    assert services.drop_expired_grants(now=make.at(1)) == 1
    assert services.drop_expired_grants(now=make.at(1)) == 0

    assert [user for user, _ in permissions.grants()] == [manager]
    leaver.refresh_from_db()
    assert not leaver.is_staff


@pytest.mark.parametrize(
    ("name", "found"),
    [("ada", True), ("ADA@example.com", True), ("nobody", False), ("gone", False)],
)
def test_a_person_is_found_by_name_or_address(name: str, found: bool) -> None:
    ada = make.user(username="ada")
    make.user(username="gone", is_active=False)

    assert selectors.person_called(name) == (ada if found else None)
