"""Series and templates in the admin site: to be seen, and series canceled through the service."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from gpuaas.accounts.models import User
from gpuaas.core.admin import ReadOnlyAdmin
from reservations import selectors, services
from reservations.models import BookingTemplate, Series


@admin.register(Series)
class SeriesAdmin(ReadOnlyAdmin[Series]):
    for_managers = True
    list_display = (
        "__str__", "team", "requested_by", "pool", "created_at", "canceled_at", "in_the_portal",
    )  # fmt: skip
    list_filter = ("pool",)
    actions = ("cancel_chosen",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Series]:
        return selectors.series_visible_to(_user(request), now=timezone.now())

    @admin.display(description="in the portal")
    def in_the_portal(self, series: Series) -> str:
        address = reverse("portal:series", args=[series.public_id])
        return format_html('<a href="{}">What became of each</a>', address)

    @admin.action(description="Cancel the chosen series")
    def cancel_chosen(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        """Cancel what of them has not started."""
        user, now = _user(request), timezone.now()
        changeable = selectors.series_changeable_by(user, now=now).filter(pk__in=chosen)
        done = [
            each
            for series in changeable
            for each in services.cancel_series(series=series, actor=user, now=now)
        ]
        self.message_user(request, f"{len(done)} canceled")


@admin.register(BookingTemplate)
class BookingTemplateAdmin(ReadOnlyAdmin[BookingTemplate]):
    for_managers = True
    list_display = ("name", "owner", "team", "pool", "resource_name", "units", "is_shared")
    list_filter = ("is_shared", "pool")

    def get_queryset(self, request: HttpRequest) -> QuerySet[BookingTemplate]:
        return selectors.templates_answered_for_by(_user(request), now=timezone.now())


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- the admin site lets nobody else in
    return request.user
