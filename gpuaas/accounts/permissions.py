"""The only module that talks to django-guardian: grants on teams, few rows, never per booking."""

from guardian.shortcuts import assign_perm, remove_perm

from gpuaas.accounts.models import Team, User

MANAGE_TEAM = "accounts.manage_team"


def grant_team_management(*, user: User, team: Team) -> None:
    """Let ``user`` manage ``team``; granting it again changes nothing."""
    assign_perm(MANAGE_TEAM, user, team)


def revoke_team_management(*, user: User, team: Team) -> None:
    """Take it back; revoking what was not granted changes nothing."""
    remove_perm(MANAGE_TEAM, user, team)


def may_manage_team(*, user: User, team: Team) -> bool:
    """Return whether ``user`` holds the grant on ``team`` or administers the platform."""
    return user.is_active and (user.is_platform_admin or user.has_perm(MANAGE_TEAM, team))
