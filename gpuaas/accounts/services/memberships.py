"""Everything that changes who belongs where."""

from datetime import datetime

from django.db import transaction

from gpuaas.accounts import permissions
from gpuaas.accounts.models import Membership, MembershipRole, MembershipSource, Team, User
from gpuaas.audit import services as audit


def add_member(
    *,
    team: Team,
    user: User,
    role: MembershipRole,
    granted_by: User | None,
    now: datetime,
    expires_at: datetime | None = None,
) -> Membership:
    """Give ``user`` a role in ``team`` by hand, replacing an earlier one, and write it down.

    The role and the end that they have by hand already are no change.

    Nothing is asked: who may do it, and whether a manager is left, is `invite`'s and
    `change_member`'s to say.
    """
    with transaction.atomic():
        before = Membership.objects.filter(team=team, user=user).current(now).first()
        same = (role, expires_at, MembershipSource.MANUAL)
        if before and (before.role, before.expires_at, before.source) == same:
            return before
        membership = put(
            team=team, user=user, role=role, granted_by=granted_by, now=now, expires_at=expires_at
        )
        audit.record(
            "member.changed" if before else "member.added",
            subject=subject_of(team, user),
            actor=granted_by,
            at=now,
            team=team,
            role=[before and before.role, role.value],
            expires_at=[
                before and before.expires_at and before.expires_at.isoformat(),
                expires_at and expires_at.isoformat(),
            ],
        )
    return membership


def put(
    *,
    team: Team,
    user: User,
    role: MembershipRole,
    granted_by: User | None,
    now: datetime,
    expires_at: datetime | None = None,
    source: MembershipSource = MembershipSource.MANUAL,
) -> Membership:
    """Make the membership what is given; whoever calls it has asked, and writes it down.

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
            close_admin_site_to(user, now=now)
    return membership


def close_admin_site_to(user: User, *, now: datetime) -> None:
    """Take back the way into the admin site from whoever manages no team any more."""
    manages = Membership.objects.filter(user=user, role=MembershipRole.MANAGER).current(now)
    if not manages.exists():
        User.objects.filter(pk=user.pk, is_staff=True, is_superuser=False).update(is_staff=False)


def subject_of(team: Team, user: User) -> str:
    """Return what the audit trail calls a membership."""
    return f"member:{team.slug}:{user.pk}"
