"""Everything that changes who belongs where."""

from datetime import datetime

from django.db import transaction

from gpuaas.accounts import permissions
from gpuaas.accounts.models import Membership, MembershipRole, MembershipSource, Team, User


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
            close_admin_site_to(user)
    return membership


def close_admin_site_to(user: User) -> None:
    """Take back the way into the admin site from whoever manages no team any more."""
    if not Membership.objects.filter(user=user, role=MembershipRole.MANAGER).exists():
        User.objects.filter(pk=user.pk, is_staff=True, is_superuser=False).update(is_staff=False)
