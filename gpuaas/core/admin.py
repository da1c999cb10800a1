"""What every page of the admin site has in common: nobody changes by accident what services own."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from gpuaas.core.errors import DomainError
from gpuaas.core.paging import ShortPaginator

Row = TypeVar("Row", bound=Model)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    TypedAdmin = ModelAdmin
else:

    class TypedAdmin(admin.ModelAdmin):
        """Django's, with the type parameter that only the type checker needs."""

        def __class_getitem__(cls, _row):
            return cls


class ServicesAdmin(TypedAdmin[Row]):
    """Rows that services write: what these refuse is told, and nothing is changed."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count all rows, once a choice

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as refused:
            return self._refused(request, refused)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except DomainError as refused:
            return self._refused(request, refused)

    def _refused(self, request: HttpRequest, refused: DomainError) -> HttpResponse:
        self.message_user(request, f"Nothing was changed: {refused}.", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())


class ReadOnlyAdmin(TypedAdmin[Row]):
    """Rows to look at.  Platform administrators see all; managers see them where ``for_managers``.

    A page that managers see has to narrow its ``get_queryset`` to what is visible to them.
    """

    for_managers = False
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count all rows, once a choice
    paginator = ShortPaginator
    list_per_page = 30  # a row costs more to render than to find
    list_max_show_all = 0  # no link to all of it

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:  # noqa: ARG002 -- Django's signature
        user: Any = request.user
        return bool(user.is_active and user.is_staff and (user.is_superuser or self.for_managers))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:  # noqa: ARG002
        return False
