"""What the database says when it is looked at again, in the transaction that changes it."""

import pytest
from allauth.mfa.models import Authenticator
from django.utils import timezone

from gpuaas.accounts.models import MembershipRole, OrganisationRole, User
from gpuaas.accounts.services import standing
from gpuaas.identity import services
from gpuaas.identity.models import DirectoryGroup, DirectoryPerson
from tests import make

pytestmark = pytest.mark.django_db


def joined(*groups: str) -> DirectoryPerson:
    user = make.user()
    answer = services.Answer("sso", user.username, frozenset(groups), "a refresh token")
    return services.admit_person(user=user, answer=answer, is_local=False, now=timezone.now())


def test_access_that_ended_meanwhile_is_not_confirmed() -> None:
    person = joined("ml")
    services.end_access(person=person, reason="gone", now=timezone.now())
    answer = services.Answer("sso", person.subject, frozenset({"ml"}), "another token")

    services.confirm_person(person=person, answer=answer, now=timezone.now())

    person.refresh_from_db()
    assert (person.ended_at is None, person.sealed_refresh_token) == (False, "")


def test_a_rule_is_applied_to_the_members_of_its_group_alone() -> None:
    inside, outside = joined("ml"), joined("hr")
    rule = DirectoryGroup(
        provider="sso", group="ml", organisation_role=OrganisationRole.FINANCE.value
    )

    services.give_by_group(rule=rule, by=make.user(), now=timezone.now())

    roles = dict(User.objects.values_list("pk", "organisation_role"))
    assert (roles[inside.user_id], roles[outside.user_id]) == ("finance", "")


def test_a_role_that_somebody_gave_meanwhile_is_recorded_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = joined("ml")
    monkeypatch.setattr(standing, "set_organisation_role", lambda **_: False)
    rule = DirectoryGroup(
        provider="sso", group="ml", organisation_role=OrganisationRole.FINANCE.value
    )

    services.give_by_group(rule=rule, by=make.user(), now=timezone.now())

    person.refresh_from_db()
    assert person.organisation_role == OrganisationRole.FINANCE


def test_recovery_codes_stay_with_the_second_factor_that_is_left() -> None:
    owner, kinds = make.user(), Authenticator.Type
    totp, *_ = (
        Authenticator.objects.create(user=owner, type=kind, data={})
        for kind in (kinds.TOTP, kinds.WEBAUTHN, kinds.RECOVERY_CODES)
    )

    services.remove_second_factor(factor=totp, by=make.user(), now=timezone.now())

    left = set(Authenticator.objects.values_list("type", flat=True))
    assert left == {kinds.WEBAUTHN, kinds.RECOVERY_CODES}


def test_a_membership_ends_once_and_a_role_changes_once() -> None:
    now = timezone.now()
    vision, speech = make.team(), make.team()
    manager = make.user(teams=[vision, speech], role=MembershipRole.MANAGER)
    membership = manager.memberships.get(team=vision)

    assert standing.end_membership(membership=membership, now=now)
    assert not standing.end_membership(membership=membership, now=now)
    assert User.objects.get(pk=manager.pk).is_staff  # still a manager of another team

    role = OrganisationRole.FINANCE
    assert standing.set_organisation_role(user=manager, role=role, now=now)
    assert not standing.set_organisation_role(user=manager, role=role, now=now)
