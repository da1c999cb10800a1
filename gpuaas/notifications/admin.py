"""What people are told, in the admin site: for platform administrators, to look at."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.core.admin import ReadOnlyAdmin
from gpuaas.notifications import services
from gpuaas.notifications.models import Delivery, OutboxMessage


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin[OutboxMessage]):
    list_display = ("created_at", "event", "subject", "team", "fanned_out_at", "problem")
    list_display_links = ("event",)
    list_filter = ("event",)
    list_select_related = ("team",)
    search_fields = ("key", "subject")


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
    search_fields = ("message__key", "person__username")
    actions = ("try_again",)

    @admin.action(description="Try those again that were given up")
    def try_again(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        """Put what was given up back into the queue."""
        count = services.try_again(deliveries=list(chosen), now=timezone.now())
        self.message_user(request, f"{count} to be tried again")
