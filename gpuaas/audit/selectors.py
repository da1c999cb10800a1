"""The history of one thing.  What of the trail a person may see, `gpuaas.accounts` knows."""

from django.db.models import QuerySet

from gpuaas.audit.models import AuditEvent


def history_of(subject: str) -> QuerySet[AuditEvent]:
    """Return the events of ``subject``, oldest first."""
    return AuditEvent.objects.filter(subject=subject).select_related("actor").order_by("pk")
