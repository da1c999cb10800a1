"""What the database promises about groups of the directory."""

import pytest
from django.db import IntegrityError, transaction

from gpuaas.accounts.models import Membership, MembershipRole, MembershipSource, OrganisationRole
from gpuaas.identity.models import DirectoryGroup
from tests import make

pytestmark = pytest.mark.django_db


def test_a_membership_is_by_hand_unless_the_directory_gave_it() -> None:
    team, user = make.team(), make.user()

    make.membership(of=team, whose=user)

    assert Membership.objects.get().source == MembershipSource.MANUAL


def test_a_group_gives_a_role_in_a_team_or_in_the_organisation() -> None:
    team = make.team(slug="vision")
    in_team = DirectoryGroup.objects.create(
        provider="sso", group="ml-vision", team=team, role=MembershipRole.MEMBER
    )
    overall = DirectoryGroup.objects.create(
        provider="sso", group="cfo", organisation_role=OrganisationRole.FINANCE
    )

    assert [str(in_team), str(overall)] == ["ml-vision: Member of Vision", "cfo: Finance"]


@pytest.mark.parametrize(
    ("with_team", "role", "organisation_role"),
    [
        (True, "", ""),
        (True, "member", "finance"),
        (False, "member", ""),
        (False, "", ""),
        (False, "member", "finance"),
    ],
)
def test_a_group_gives_exactly_one_role(with_team: bool, role: str, organisation_role: str) -> None:
    team = make.team() if with_team else None

    with (
        pytest.raises(IntegrityError, match="directory_group_gives_one_role"),
        transaction.atomic(),
    ):
        DirectoryGroup.objects.create(
            provider="sso", group="g", team=team, role=role, organisation_role=organisation_role
        )


def test_a_group_gives_one_organisation_role_at_most() -> None:
    DirectoryGroup.objects.create(provider="sso", group="g", organisation_role="finance")

    with (
        pytest.raises(IntegrityError, match="directory_group_one_organisation_role"),
        transaction.atomic(),
    ):
        DirectoryGroup.objects.create(provider="sso", group="g", organisation_role="platform_admin")
