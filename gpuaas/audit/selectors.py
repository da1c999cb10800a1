"""The history of one thing."""

from django.db.models import QuerySet

from gpuaas.audit.models import AuditEvent


def history_of(subject: str) -> QuerySet[AuditEvent]:
    """Return the events of ``subject``, oldest first."""
    return AuditEvent.objects.filter(subject=subject).select_related("actor").order_by("pk")
