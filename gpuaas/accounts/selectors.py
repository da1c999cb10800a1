"""Who belongs where: the ground of every ``*_visible_to``."""

from datetime import datetime

from django.db.models import QuerySet

from gpuaas.accounts.models import CAN_BOOK, Membership, Team, User


def teams_visible_to(user: User, *, now: datetime) -> QuerySet[Team]:
    """Return the teams whose bookings ``user`` may see."""
    if not user.is_active:
        return Team.objects.none()
    if user.is_platform_admin or user.is_finance:
        return Team.objects.all()
    return Team.objects.filter(pk__in=_memberships(user, now=now).values("team"))


def teams_bookable_by(user: User, *, now: datetime) -> QuerySet[Team]:
    """Return the teams ``user`` may book for: a viewer sees, but does not book."""
    if not user.is_active:
        return Team.objects.none()
    return Team.objects.filter(
        pk__in=_memberships(user, now=now).filter(role__in=CAN_BOOK).values("team")
    )


def memberships_of(user: User, *, now: datetime) -> QuerySet[Membership]:
    """Return the memberships of ``user`` that have not expired, with their teams."""
    return _memberships(user, now=now).select_related("team").order_by("team__name")


def _memberships(user: User, *, now: datetime) -> QuerySet[Membership]:
    return Membership.objects.filter(user=user).current(now)
