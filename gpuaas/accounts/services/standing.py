"""Taking away, and giving back, what lets somebody in: by whoever decides instead of a person."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from gpuaas.accounts import permissions
from gpuaas.accounts.models import Membership, OrganisationRole, User
from gpuaas.accounts.services import memberships

_INSTANT = timedelta(microseconds=1)


def end_membership(*, membership: Membership, now: datetime) -> bool:
    """End a membership that stands; return whether it did.  What came with the role goes too."""
    user, team = membership.user, membership.team
    with transaction.atomic():
        ended = (
            Membership.objects.current(now)
            .filter(pk=membership.pk, source=membership.source)
            .update(expires_at=Greatest(Value(now), F("granted_at") + _INSTANT))
        )
        if not ended:
            return False
        permissions.revoke_team_management(user=user, team=team)
        memberships.close_admin_site_to(user, now=now)
    return True


def set_organisation_role(*, user: User, role: OrganisationRole, now: datetime) -> bool:
    """Make ``role`` the person's role across all teams; return whether it was another one."""
    is_admin = role == OrganisationRole.PLATFORM_ADMIN
    with transaction.atomic():
        changed = (
            User.objects.filter(pk=user.pk)
            .exclude(organisation_role=role)
            .update(organisation_role=role, is_superuser=is_admin)
        )
        if changed and is_admin:
            User.objects.filter(pk=user.pk).update(is_staff=True)
        elif changed:
            memberships.close_admin_site_to(user, now=now)
    return bool(changed)


def set_active(*, user: User, is_active: bool) -> bool:
    """Let an account in, or shut it out; return whether it was the other way round."""
    return bool(
        User.objects.filter(pk=user.pk, is_active=not is_active).update(is_active=is_active)
    )
