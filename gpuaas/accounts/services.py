"""Everything that changes people, teams and memberships."""

from datetime import datetime

from django.db import transaction

from gpuaas.accounts import permissions
from gpuaas.accounts.models import (
    Membership,
    MembershipRole,
    MembershipSource,
    OrganisationRole,
    Team,
    User,
)


def ensure_user(
    *,
    username: str,
    password: str,
    email: str,
    first_name: str = "",
    last_name: str = "",
    organisation_role: OrganisationRole = OrganisationRole.NONE,
) -> User:
    """Return the user of that name; make it first if there is none.

    An existing user is left as it is, password included.
    """
    existing = User.objects.filter(username=username).first()
    if existing is not None:
        return existing
    is_admin = organisation_role == OrganisationRole.PLATFORM_ADMIN
    return User.objects.create_user(
        username=username,
        password=password,
        email=email,
        first_name=first_name,
        last_name=last_name,
        organisation_role=organisation_role,
        is_staff=is_admin,
        is_superuser=is_admin,
    )


def ensure_team(*, name: str, slug: str, cost_centre: str = "") -> Team:
    """Return the team with that slug; make it first if there is none."""
    team, _ = Team.objects.get_or_create(
        slug=slug, defaults={"name": name, "cost_centre": cost_centre}
    )
    return team


def add_member(
    *,
    team: Team,
    user: User,
    role: MembershipRole,
    granted_by: User | None,
    now: datetime,
    expires_at: datetime | None = None,
    source: MembershipSource = MembershipSource.MANUAL,
) -> Membership:
    """Give ``user`` a role in ``team``, replacing an earlier one.

    Managers get the guardian grant on the team and access to the admin site; whoever is no
    manager any more loses the grant.
    """
    with transaction.atomic():
        membership, _ = Membership.objects.update_or_create(
            team=team,
            user=user,
            defaults={
                "role": role,
                "source": source,
                "granted_by": granted_by,
                "granted_at": now,
                "expires_at": expires_at,
            },
        )
        if role == MembershipRole.MANAGER:
            permissions.grant_team_management(user=user, team=team)
            User.objects.filter(pk=user.pk, is_staff=False).update(is_staff=True)
        else:
            permissions.revoke_team_management(user=user, team=team)
            _close_admin_site_to(user)
    return membership


def _close_admin_site_to(user: User) -> None:
    """Take back the way into the admin site from whoever manages no team any more."""
    if not Membership.objects.filter(user=user, role=MembershipRole.MANAGER).exists():
        User.objects.filter(pk=user.pk, is_staff=True, is_superuser=False).update(is_staff=False)
