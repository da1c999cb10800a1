"""The audit trail in the admin site: to be read, by nobody to be written."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.audit import selectors
from gpuaas.audit.models import AuditEvent
from gpuaas.core.admin import ReadOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin[AuditEvent]):
    for_managers = True
    list_display = ("at", "action", "subject", "actor", "team")
    list_filter = ("action",)
    list_select_related = ("actor", "team")
    search_fields = ("subject",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        assert isinstance(request.user, User)  # noqa: S101 -- the admin site lets nobody else in
        return selectors.events_visible_to(request.user, now=timezone.now())
