"""Rules in the admin site, applied as they are saved."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.audit.models import AuditEvent
from gpuaas.identity import services
from gpuaas.identity.models import DirectoryGroup, DirectoryPerson
from gpuaas.identity.services import Answer
from tests import make
from tests.identity.conftest import roles_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    return client


@pytest.fixture
def team() -> Team:
    return make.team(slug="lab")


@pytest.fixture
def person() -> User:
    """Somebody from the directory, in the group ``ml``."""
    user = make.user()
    services.admit_person(
        user=user,
        answer=Answer("sso", "subject-1", frozenset({"ml"})),
        is_local=False,
        now=timezone.now() - timedelta(minutes=1),
    )
    return user


def save(admin: Client, team: Team | None, **values: str) -> int:
    body = {"provider": "sso", "group": "ml", "team": team.pk if team else "", "role": "",
            "organisation_role": "", **values}  # fmt: skip
    return admin.post("/admin/identity/directorygroup/add/", body).status_code


def test_a_rule_works_at_once_and_stops_at_once(admin: Client, person: User, team: Team) -> None:
    assert save(admin, team, role="manager") == 302
    assert roles_of(person.username) == {"lab": "manager"}
    rule = DirectoryGroup.objects.get()

    admin.post(f"/admin/identity/directorygroup/{rule.pk}/delete/", {"post": "yes"})

    assert roles_of(person.username) == {}
    person.refresh_from_db()
    assert not person.is_staff
    assert {"directory.group_set", "directory.group_removed"} <= set(
        AuditEvent.objects.values_list("action", flat=True)
    )


def test_a_rule_that_moves_to_another_group_leaves_the_first(
    admin: Client, person: User, team: Team
) -> None:
    save(admin, team, role="member")
    rule = DirectoryGroup.objects.get()

    body = {"provider": "sso", "group": "other", "team": team.pk, "role": "member"}
    admin.post(f"/admin/identity/directorygroup/{rule.pk}/change/", body)

    assert roles_of(person.username) == {}


@pytest.mark.parametrize(
    "values",
    [{}, {"role": "member", "organisation_role": "finance"}, {"group": "", "role": "member"}],
)
def test_a_rule_that_gives_no_role_or_two_is_refused(
    admin: Client, team: Team, values: dict[str, str]
) -> None:
    assert save(admin, team, **values) == 200
    assert not DirectoryGroup.objects.exists()


def test_a_role_somebody_gave_by_hand_is_left_alone(person: User, admin: Client) -> None:
    User.objects.filter(pk=person.pk).update(organisation_role=OrganisationRole.FINANCE)

    save(admin, None, organisation_role="platform_admin")

    person.refresh_from_db()
    assert person.organisation_role == OrganisationRole.FINANCE
    assert DirectoryPerson.objects.get().organisation_role == ""


def test_managers_see_neither_rules_nor_people(client: Client, person: User) -> None:
    client.force_login(make.user(teams=[make.team()], role=MembershipRole.MANAGER))

    for page in ("directorygroup", "directoryperson"):
        assert client.get(f"/admin/identity/{page}/").status_code == 403


def test_administrators_see_who_came_from_where(admin: Client, person: User) -> None:
    found = DirectoryPerson.objects.get()

    listing = admin.get("/admin/identity/directoryperson/")
    page = admin.get(f"/admin/identity/directoryperson/{found.pk}/change/")

    assert person.username in listing.content.decode()
    assert "sealed" not in page.content.decode()
    assert str(found) == f"{person.username} (sso)"


def test_an_answer_that_came_too_late_ends_nothing(person: User) -> None:
    stale = DirectoryPerson.objects.get()
    services.keep_refresh_token(person=DirectoryPerson.objects.get(), refresh_token="newer")  # noqa: S106

    assert not services.keep_refresh_token(person=stale, refresh_token="other")  # noqa: S106
    assert not services.end_access(person=stale, reason="an old no", now=timezone.now())

    person.refresh_from_db()
    assert person.is_active
