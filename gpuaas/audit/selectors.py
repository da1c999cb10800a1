"""The history of one thing, and of all that a person may see."""

from datetime import datetime

from django.db.models import QuerySet

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.audit.models import AuditEvent


def history_of(subject: str) -> QuerySet[AuditEvent]:
    """Return the events of ``subject``, oldest first."""
    return AuditEvent.objects.filter(subject=subject).select_related("actor").order_by("pk")


def events_visible_to(user: User, *, now: datetime) -> QuerySet[AuditEvent]:
    """Return the events of the teams that ``user`` may see; a platform administrator sees all."""
    if user.is_active and user.is_platform_admin:
        return AuditEvent.objects.all()
    return AuditEvent.objects.filter(team__in=accounts.teams_visible_to(user, now=now))
