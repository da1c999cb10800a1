"""The only module that talks to django-guardian: grants on teams, few rows, never per booking."""

from collections.abc import Iterator
from datetime import datetime

from guardian.models import UserObjectPermission
from guardian.shortcuts import assign_perm, remove_perm

from gpuaas.accounts.models import Membership, MembershipRole, Team, User

MANAGE_TEAM = "accounts.manage_team"


def grant_team_management(*, user: User, team: Team) -> None:
    """Let ``user`` manage ``team``; granting it again changes nothing."""
    assign_perm(MANAGE_TEAM, user, team)


def revoke_team_management(*, user: User, team: Team) -> None:
    """Take it back; revoking what was not granted changes nothing."""
    remove_perm(MANAGE_TEAM, user, team)


def grants() -> Iterator[tuple[User, Team]]:
    """Return every grant there is: who may manage which team."""
    held = UserObjectPermission.objects.filter(permission__codename="manage_team")
    for grant in held.select_related("user").order_by("pk"):
        yield grant.user, Team.objects.get(pk=grant.object_pk)


def may_manage_team(*, user: User, team: Team, now: datetime) -> bool:
    """Return whether ``user`` manages ``team`` or administers the platform.

    The grant knows no end, so a manager's membership must stand besides.
    """
    if not user.is_active:
        return False
    if user.is_platform_admin:
        return True
    manages = Membership.objects.filter(user=user, team=team, role=MembershipRole.MANAGER)
    return manages.current(now).exists() and user.has_perm(MANAGE_TEAM, team)
