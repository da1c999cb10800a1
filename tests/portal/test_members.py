"""Letting people into a team, changing what they may, and taking them out."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gpuaas.accounts.models import Membership, MembershipRole, MembershipSource, Team, User
from gpuaas.audit.models import AuditEvent
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(team: Team) -> User:
    return make.user(teams=[team], role=MembershipRole.MANAGER, username="boss")


@pytest.fixture
def manager(client: Client, boss: User) -> Client:
    client.force_login(boss)
    return client


def at(name: str, team: Team, person: User | None = None) -> str:
    args: list[object] = [team.slug]
    if person:
        args.append(Membership.objects.get(team=team, user=person).pk)
    return reverse(f"portal:{name}", args=args)


@pytest.mark.parametrize("called", ["newcomer", "newcomer@example.com"])
def test_somebody_is_added_by_name_or_address(manager: Client, team: Team, called: str) -> None:
    person = make.user(username="newcomer")
    ends_at = timezone.now().replace(second=0, microsecond=0) + timedelta(days=2)

    page = manager.post(
        at("member_add", team),
        {"person": called, "role": "viewer", "expires_at": ends_at.isoformat()},
        follow=True,
    ).content.decode()

    made = Membership.objects.get(team=team, user=person)
    assert "newcomer is in the team" in page
    assert (made.role, made.expires_at) == (MembershipRole.VIEWER, ends_at)
    assert AuditEvent.objects.filter(action="member.added", team=team).count() == 1


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"person": "nobody-here"}, "person", "There is nobody"),
        ({"person": ""}, "person", "Enter a user name"),
        ({"person": "boss"}, "person", "cannot take a role yourself"),
        ({"person": "ada"}, "person", "change the role instead"),
        ({"person": "newcomer", "expires_at": "2020-01-01T00:00"}, "expires_at", "have ended"),
        ({"person": "newcomer", "expires_at": "soon"}, "expires_at", "a date and a time"),
        ({"person": "newcomer", "role": "emperor"}, "role", "not one of the available"),
    ],
)
def test_what_is_refused_says_why_beside_the_field(
    manager: Client, team: Team, member: User, typed: dict[str, str], field: str, words: str
) -> None:
    make.user(username="newcomer")

    answer = manager.post(at("member_add", team), {"role": "member", **typed})

    page = answer.content.decode()
    assert answer.status_code == 422
    assert words in page.partition(f'data-testid="error-{field}"')[2].partition("</div>")[0]
    assert f'value="{typed["person"]}"' in page
    assert Membership.objects.filter(team=team).count() == 2


def test_a_role_is_changed_and_an_end_typed_again_is_the_same(
    manager: Client, team: Team, member: User
) -> None:
    ends_at = timezone.now() + timedelta(days=2)
    Membership.objects.filter(user=member).update(expires_at=ends_at)
    typed = {"role": "viewer", "expires_at": f"{ends_at:%Y-%m-%dT%H:%M}"}

    manager.post(at("member", team, member), typed)

    found = Membership.objects.get(user=member)
    assert (found.role, found.expires_at) == (MembershipRole.VIEWER, ends_at)


def test_the_last_manager_stays(manager: Client, team: Team, boss: User) -> None:
    changed = manager.post(at("member", team, boss), {"role": "viewer"})
    removed = manager.post(at("member_remove", team, boss), follow=True)
    past = manager.post(
        at("member", team, boss), {"role": "manager", "expires_at": "2020-01-01T00:00"}
    )

    for answer in (changed, removed):
        assert "would have no manager" in answer.content.decode()
    assert "have ended" in past.content.decode()
    assert Membership.objects.get(user=boss).role == MembershipRole.MANAGER


def test_taking_out_says_first_what_that_means(manager: Client, team: Team, member: User) -> None:
    where = at("member_remove", team, member)

    asked = manager.get(where).content.decode()
    assert "runs on, and counts against its budget" in asked
    assert Membership.objects.filter(user=member).exists()

    assert "ada is out of the team" in manager.post(where, follow=True).content.decode()
    assert not Membership.objects.filter(user=member).exists()


def test_who_takes_themselves_out_is_led_to_the_teams_that_are_left(
    manager: Client, team: Team, boss: User
) -> None:
    make.user(teams=[team], role=MembershipRole.MANAGER)

    answer = manager.post(at("member_remove", team, boss))

    assert answer.headers["Location"] == reverse("portal:teams")


def test_what_the_directory_gives_is_not_changed_here(
    manager: Client, team: Team, member: User
) -> None:
    Membership.objects.filter(user=member).update(source=MembershipSource.DIRECTORY)
    manage = manager.get(reverse("portal:team", args=[team.slug])).content.decode()

    answer = manager.post(at("member", team, member), {"role": "viewer"})

    assert "changed in the directory" in manage
    assert "changed there" in answer.content.decode()
    assert Membership.objects.get(user=member).role == MembershipRole.MEMBER
