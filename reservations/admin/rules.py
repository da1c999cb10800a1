"""Rules, limits and prices in the admin site: read by those they hold for, set through services."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core.admin import Row, ServicesAdmin
from reservations import facts, policy, services
from reservations.models import PoolRules, TeamRules, UnitPrice, default_currency

if TYPE_CHECKING:
    from django.forms import ModelForm

    RulesModelForm = ModelForm
else:

    class RulesModelForm(forms.ModelForm):
        """Django's, with the type parameter that only the type checker needs."""

        def __class_getitem__(cls, _row):
            return cls


class RulesForm(RulesModelForm[Row]):
    """What makes no sense is said beside its field, in the domain's words."""

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        for each in policy.problems_with_values(self.values, currency=default_currency()):
            field = each.field if each.field in self.fields else None
            if field not in self.errors:
                self.add_error(field, f"{each.message[:1].upper()}{each.message[1:]}.")
        return given

    @property
    def values(self) -> dict[str, Any]:
        """Every rule that could be read, in the domain's names."""
        others = {"pool", "team", "pools"}
        return {name: value for name, value in self.cleaned_data.items() if name not in others}

    @property
    def changes(self) -> dict[str, Any]:
        """Those of ``values`` that were changed: what others set meanwhile stays."""
        values = self.values
        return {name: values[name] for name in self.changed_data if name in values}


class PoolRulesForm(RulesForm[PoolRules]):
    class Meta:
        model = PoolRules
        fields = ("pool", *facts.OF_POOL, *facts.OF_POOL_LATER)


class TeamRulesForm(RulesForm[TeamRules]):
    """Money is in minor units, a budget in the installation's currency."""

    class Meta:
        model = TeamRules
        fields = ("team", "pools", *facts.OF_TEAM)

    @property
    def values(self) -> dict[str, Any]:
        found = super().values
        has_budget = found.get("budget_minor") is not None
        return {**found, "currency": default_currency() if has_budget else ""}

    @property
    def changes(self) -> dict[str, Any]:
        found = super().changes
        return {**found, "currency": self.values["currency"]} if "budget_minor" in found else found


class RulesAdmin(ServicesAdmin[Row]):
    """Platform administrators set them; nobody removes them: an empty field is no rule."""

    subject = ""
    for_managers = False

    def get_readonly_fields(self, request: HttpRequest, obj: Row | None = None) -> tuple[str, ...]:  # noqa: ARG002 -- Django's signature
        return (self.subject,) if obj else ()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:  # noqa: ARG002
        user = _user(request)
        return user.is_active and user.is_staff and (user.is_superuser or self.for_managers)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _user(request).is_platform_admin

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:  # noqa: ARG002
        return _user(request).is_platform_admin

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:  # noqa: ARG002
        return False

    def save_related(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        change: bool,  # noqa: FBT001 -- Django's signature
    ) -> None:
        """Write nothing: the service has written all of it."""


@admin.register(TeamRules)
class TeamRulesAdmin(RulesAdmin[TeamRules]):
    """A manager reads the own teams' limits."""

    form = TeamRulesForm
    subject = "team"
    for_managers = True
    list_display = ("team", "budget_minor", "currency", "gpu_hours_per_week", "concurrent_units")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TeamRules]:
        visible = accounts.teams_visible_to(_user(request), now=timezone.now())
        return TeamRules.objects.filter(team__in=visible).select_related("team")

    def save_model(
        self,
        request: HttpRequest,
        obj: TeamRules,
        form: Any,
        change: bool,  # noqa: ARG002, FBT001 -- Django's signature
    ) -> None:
        saved = services.set_team_rules(
            team=obj.team,
            changes=form.changes,
            pools=list(form.cleaned_data["pools"]) if "pools" in form.changed_data else None,
            actor=_user(request),
            now=timezone.now(),
        )
        obj.pk = saved.pk


@admin.register(PoolRules)
class PoolRulesAdmin(RulesAdmin[PoolRules]):
    form = PoolRulesForm
    subject = "pool"
    list_display = ("pool", "longest_minutes", "horizon_days", "concurrent_units", "time_zone")
    list_select_related = ("pool",)

    def save_model(
        self,
        request: HttpRequest,
        obj: PoolRules,
        form: Any,
        change: bool,  # noqa: ARG002, FBT001 -- Django's signature
    ) -> None:
        saved = services.set_pool_rules(
            pool=obj.pool, changes=form.changes, actor=_user(request), now=timezone.now()
        )
        obj.pk = saved.pk


@admin.register(UnitPrice)
class UnitPriceAdmin(ServicesAdmin[UnitPrice]):
    """Append-only: the next price is another row, from now on or later."""

    list_display = ("pool", "resource_name", "minor_units_per_unit_hour", "currency", "valid_from")
    list_select_related = ("pool",)
    fields = ("pool", "resource_name", "minor_units_per_unit_hour", "valid_from")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: UnitPrice | None = None) -> bool:  # noqa: ARG002
        return _user(request).is_platform_admin

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _user(request).is_platform_admin

    def has_change_permission(self, request: HttpRequest, obj: UnitPrice | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: UnitPrice | None = None) -> bool:  # noqa: ARG002
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: UnitPrice,
        form: Any,
        change: bool,  # noqa: ARG002, FBT001 -- Django's signature
    ) -> None:
        actor, now = _user(request), timezone.now()
        given = {**form.cleaned_data, "currency": default_currency()}
        obj.pk = services.set_price(**given, actor=actor, now=now).pk


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- the admin site lets nobody else in
    return request.user
