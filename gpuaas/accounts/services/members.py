"""What managers do with the members of their team.

The rules are checked here, under a lock on the team: two managers who demote each other at the
same instant would otherwise leave a team that nobody manages.
"""

from datetime import datetime

from django.db import transaction

from gpuaas.accounts import permissions
from gpuaas.accounts.models import Membership, MembershipRole, MembershipSource, Team, User
from gpuaas.accounts.services import memberships
from gpuaas.audit import services as audit
from gpuaas.core import errors


class NotManager(errors.DomainError):
    """Members are the business of the team's managers and of platform administrators."""

    code = "managers_only"


class LastManager(errors.DomainError):
    """A team keeps somebody who looks after it."""

    code = "last_manager"


class FromDirectory(errors.DomainError):
    """The company's directory decides about this membership."""

    code = "from_directory"


class NotRaisable(errors.DomainError):
    """Nobody raises themselves."""

    code = "not_yourself"


class AlreadyMember(errors.DomainError):
    """The person is in the team; their role is changed, not given again."""

    code = "already_member"


class ExpiryPast(errors.DomainError):
    """A membership ends in the future, or is removed."""

    code = "expiry_in_the_past"


def invite(
    *,
    team: Team,
    user: User,
    role: MembershipRole,
    expires_at: datetime | None,
    actor: User,
    now: datetime,
) -> Membership:
    """Make ``user`` a member of ``team``.

    Raises:
        NotManager, AlreadyMember, NotRaisable, ExpiryPast, FromDirectory: see there.
    """
    with transaction.atomic():
        _lock(team, actor=actor, now=now)
        _check_expiry(expires_at, now=now)
        if user.pk == actor.pk:
            raise NotRaisable("you cannot take a role yourself: ask another administrator")
        before = Membership.objects.filter(team=team, user=user).first()
        if before is not None and before.is_current(now):
            raise AlreadyMember(f"{user} is in {team} as {before.role}: change the role instead")
        if before is not None:
            _check_manual(before)
        return memberships.add_member(
            team=team, user=user, role=role, granted_by=actor, now=now, expires_at=expires_at
        )


def change_member(
    *,
    membership: Membership,
    role: MembershipRole,
    expires_at: datetime | None,
    actor: User,
    now: datetime,
) -> Membership:
    """Give a member another role, or another end.

    Raises:
        NotManager, LastManager, NotRaisable, ExpiryPast, FromDirectory: see there.
    """
    team = membership.team
    with transaction.atomic():
        _lock(team, actor=actor, now=now)
        found = Membership.objects.select_related("user", "team").get(pk=membership.pk)
        _check_manual(found)
        if (found.role, found.expires_at) == (role, expires_at):
            return found
        _check_expiry(expires_at, now=now)
        longer = found.expires_at is not None and (
            expires_at is None or expires_at > found.expires_at
        )
        if found.user_id == actor.pk and (longer or role == MembershipRole.MANAGER != found.role):
            raise NotRaisable("you cannot raise or prolong your own role: ask another manager")
        if role != MembershipRole.MANAGER or expires_at is not None:
            _check_successor(found, now=now)
        return memberships.add_member(
            team=team, user=found.user, role=role, granted_by=actor, now=now, expires_at=expires_at
        )


def remove_member(*, membership: Membership, actor: User, now: datetime) -> None:
    """End a membership; what the person booked stays the team's.

    Raises:
        NotManager, LastManager, FromDirectory: see there.
    """
    team, user = membership.team, membership.user
    with transaction.atomic():
        _lock(team, actor=actor, now=now)
        found = Membership.objects.filter(pk=membership.pk).first()
        if found is None:
            return
        _check_manual(found)
        _check_successor(found, now=now)
        found.delete()
        permissions.revoke_team_management(user=user, team=team)
        memberships.close_admin_site_to(user, now=now)
        audit.record(
            "member.removed",
            subject=memberships.subject_of(team, user),
            actor=actor,
            at=now,
            team=team,
            was=found.role,
        )


def drop_expired_grants(*, now: datetime) -> int:
    """Take the grant, and the way into the admin site, from managers whose time is over.

    They are kept out without this, by whoever asks; this only tidies up.  Returns how many grants
    there were.
    """
    dropped = 0
    for user, team in permissions.grants():
        with transaction.atomic():
            still = Membership.objects.filter(user=user, team=team, role=MembershipRole.MANAGER)
            if still.current(now).exists():
                continue
            permissions.revoke_team_management(user=user, team=team)
            memberships.close_admin_site_to(user, now=now)
            audit.record(
                "member.grant_dropped",
                subject=memberships.subject_of(team, user),
                actor=None,
                at=now,
                team=team,
            )
            dropped += 1
    return dropped


def _lock(team: Team, *, actor: User, now: datetime) -> None:
    Team.objects.select_for_update().get(pk=team.pk)
    if not permissions.may_manage_team(user=actor, team=team, now=now):
        raise NotManager(f"members of {team} are changed by its managers: ask one")


def _check_manual(membership: Membership) -> None:
    if membership.source == MembershipSource.DIRECTORY:
        raise FromDirectory("the company's directory gives this role: it is changed there")


def _check_expiry(expires_at: datetime | None, *, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise ExpiryPast(f"it would have ended: choose a time after {now:%Y-%m-%d %H:%M} UTC")


def _check_successor(membership: Membership, *, now: datetime) -> None:
    """Refuse what would leave a team without a manager."""
    if membership.role != MembershipRole.MANAGER or not membership.is_current(now):
        return
    others = Membership.objects.filter(
        team=membership.team_id,
        role=MembershipRole.MANAGER,
        expires_at=None,
        user__is_active=True,
    ).exclude(pk=membership.pk)
    if not others.exists():
        raise LastManager(
            "the team would have no manager: make somebody else one first, without an end"
        )
