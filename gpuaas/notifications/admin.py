"""What people are told, in the admin site: for platform administrators, to look at."""

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.core.admin import ReadOnlyAdmin, ServicesAdmin
from gpuaas.notifications import events, services
from gpuaas.notifications.models import Announcement, Delivery, OutboxMessage

if TYPE_CHECKING:
    from django.forms import ModelForm


class OfEvent(admin.SimpleListFilter):
    """The events there are: a list of those told would read every message."""

    title = "event"
    parameter_name = "event"

    def lookups(
        self,
        request: HttpRequest,  # noqa: ARG002 -- Django's signature
        model_admin: "admin.ModelAdmin[Any]",  # noqa: ARG002
    ) -> list[tuple[str, str]]:
        return [(event.name, event.title) for event in events.EVENTS.values()]

    def queryset(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[OutboxMessage],
    ) -> QuerySet[OutboxMessage]:
        return queryset.filter(event=self.value()) if self.value() else queryset


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin[OutboxMessage]):
    list_display = ("created_at", "event", "subject", "team", "fanned_out_at", "problem")
    list_display_links = ("event",)
    list_filter = (OfEvent,)
    list_select_related = ("team",)
    search_fields = ("key__startswith",)
    search_help_text = "The beginning of a key"
    sortable_by = ()


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    """What is on its way out; what was given up waits here for somebody to look."""

    list_display = (
        "message",
        "channel",
        "person",
        "team",
        "state",
        "attempts",
        "next_try_at",
        "last_error",
    )
    list_filter = ("state", "channel")
    list_select_related = ("message", "person", "team")
    search_fields = ("person",)  # see get_search_results
    search_help_text = "A whole user name, or the whole key of a message"
    sortable_by = ()
    actions = ("try_again",)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 -- Django's signature
        queryset: QuerySet[Delivery],
        search_term: str,
    ) -> tuple[QuerySet[Delivery], bool]:
        """Look up whole words first: an index finds their deliveries, and a join would not."""
        word = search_term.strip()
        if not word:
            return queryset, False
        people = list(User.objects.filter(username=word).values_list("pk", flat=True))
        messages = list(OutboxMessage.objects.filter(key=word).values_list("pk", flat=True))
        return queryset.filter(Q(person__in=people) | Q(message__in=messages)), False

    @admin.action(description="Try those again that were given up")
    def try_again(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        """Put what was given up back into the queue."""
        count = services.try_again(deliveries=list(chosen), now=timezone.now())
        self.message_user(request, f"{count} to be tried again")


@admin.register(Announcement)
class AnnouncementAdmin(ServicesAdmin[Announcement]):
    """What everybody is told: platform administrators write it, and end it by its end."""

    list_display = ("title", "level", "starts_at", "ends_at", "written_by")
    list_select_related = ("written_by",)
    fields = ("title", "text", "level", "starts_at", "ends_at")

    def save_model(
        self,
        request: HttpRequest,
        obj: Announcement,
        form: "ModelForm[Announcement]",  # noqa: ARG002 -- Django's signature
        change: bool,  # noqa: ARG002, FBT001
    ) -> None:
        actor = cast("User", request.user)  # the admin site lets nobody else in
        services.keep_announcement(announcement=obj, actor=actor, now=timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: Announcement | None = None) -> bool:  # noqa: ARG002 -- Django's signature
        return False
