"""Sessions in the admin site: to be seen.  The reconciler alone moves them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.core.admin import ReadOnlyAdmin
from sessions import selectors
from sessions.models import WorkspaceSession


@admin.register(WorkspaceSession)
class WorkspaceSessionAdmin(ReadOnlyAdmin[WorkspaceSession]):
    for_managers = True
    list_display = ("namespace", "state", "opened_at", "ready_at", "ended_at", "failures")
    list_filter = ("state",)
    search_fields = ("namespace__startswith",)
    search_help_text = "The beginning of a namespace"
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkspaceSession]:
        assert isinstance(request.user, User)  # noqa: S101 -- the admin site lets nobody else in
        return selectors.sessions_visible_to(request.user, now=timezone.now())
