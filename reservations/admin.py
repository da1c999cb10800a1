"""Reservations in the admin site: to be seen, and canceled through the service."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core.admin import ReadOnlyAdmin
from gpuaas.core.errors import DomainError
from reservations import selectors, services
from reservations.models import PoolRules, Reservation, TeamRules, UnitPrice


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin[Reservation]):
    for_managers = True
    list_display = (
        "__str__",
        "team",
        "requested_by",
        "pool",
        "resource_name",
        "units",
        "starts_at",
        "ends_at",
        "state",
    )
    list_filter = ("state", "pool", "resource_name")
    search_fields = ("public_id", "purpose", "requested_by__username")
    date_hierarchy = "starts_at"
    actions = ("cancel_chosen",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reservation]:
        return selectors.reservations_visible_to(_user(request), now=timezone.now())

    @admin.action(description="Cancel the chosen reservations")
    def cancel_chosen(self, request: HttpRequest, chosen: QuerySet[Reservation]) -> None:
        """Cancel each of them; those that cannot be canceled are named, and stay as they are."""
        user, now = _user(request), timezone.now()
        changeable = selectors.reservations_changeable_by(user, now=now).filter(pk__in=chosen)
        canceled = 0
        for reservation in changeable:
            try:
                services.cancel(reservation=reservation, actor=user, now=now)
            except DomainError as refused:
                self.message_user(request, f"{reservation}: {refused}", messages.ERROR)
            else:
                canceled += 1
        self.message_user(request, f"{canceled} canceled")


@admin.register(TeamRules)
class TeamRulesAdmin(ReadOnlyAdmin[TeamRules]):
    """A manager reads the own teams' limits; they are set on the team's page and over REST."""

    for_managers = True
    list_display = ("team", "budget_minor", "currency", "gpu_hours_per_week", "concurrent_units")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TeamRules]:
        visible = accounts.teams_visible_to(_user(request), now=timezone.now())
        return TeamRules.objects.filter(team__in=visible).select_related("team")


@admin.register(PoolRules)
class PoolRulesAdmin(ReadOnlyAdmin[PoolRules]):
    list_display = ("pool", "longest_minutes", "horizon_days", "concurrent_units", "time_zone")
    list_select_related = ("pool",)


@admin.register(UnitPrice)
class UnitPriceAdmin(ReadOnlyAdmin[UnitPrice]):
    list_display = ("pool", "resource_name", "minor_units_per_unit_hour", "currency", "valid_from")
    list_select_related = ("pool",)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- the admin site lets nobody else in
    return request.user
