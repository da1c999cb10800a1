"""Scenarios, cloud prices and costs in the admin site: to be read; some can be entered anew."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.core.admin import ReadOnlyAdmin, ServicesAdmin
from tokenomics import documents, selectors, services
from tokenomics.models import (
    CostAdjustment,
    CostCentreBudget,
    CostPeriod,
    CostSheet,
    CostStatement,
    EnteredPrices,
    SavedScenario,
)
from tokenomics.selectors import costs
from tokenomics.services import inputs

if TYPE_CHECKING:
    _PricesForm = forms.ModelForm[EnteredPrices]
    _SheetForm = forms.ModelForm[CostSheet]
else:
    _PricesForm = forms.ModelForm
    _SheetForm = forms.ModelForm


@admin.register(SavedScenario)
class SavedScenarioAdmin(ReadOnlyAdmin[SavedScenario]):
    for_managers = True
    list_display = ("name", "team", "updated_by", "updated_at")
    list_filter = ("team",)
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SavedScenario]:
        return selectors.scenarios_visible_to(_user(request), now=timezone.now())


class PricesForm(_PricesForm):
    class Meta:
        model = EnteredPrices
        fields = ("document",)

    def clean_document(self) -> str:
        """Refuse what is no price list, with everything that is wrong."""
        text: str = self.cleaned_data["document"]
        try:
            documents.prices_from(text)
        except documents.ScenarioRefused as refused:
            raise forms.ValidationError(
                [f"{each.field}: {each.message}" for each in refused.problems]
            ) from refused
        return text


@admin.register(EnteredPrices)
class EnteredPricesAdmin(ReadOnlyAdmin[EnteredPrices]):
    """Every version stays; adding one begins with the prices that count now."""

    form = PricesForm
    list_display = ("__str__", "entered_by", "entered_at")
    list_select_related = ("entered_by",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and selectors.may_enter_prices(_user(request))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:  # noqa: ARG002 -- Django's signature
        return {"document": documents.yaml_of(selectors.prices())}

    def save_model(
        self,
        request: HttpRequest,
        obj: EnteredPrices,
        form: "forms.ModelForm[EnteredPrices]",  # noqa: ARG002
        change: bool,  # noqa: ARG002, FBT001 -- Django's signature
    ) -> None:
        made = services.enter_prices(
            document=obj.document, actor=_user(request), now=timezone.now()
        )
        obj.pk = made.pk


class SheetForm(_SheetForm):
    class Meta:
        model = CostSheet
        fields = ("document", "reason")

    def clean_document(self) -> str:
        """Refuse what is no cost sheet, with the line of everything that is wrong."""
        text: str = self.cleaned_data["document"]
        try:
            documents.sheet_from(text)
        except documents.SheetRefused as refused:
            raise forms.ValidationError(list(map(str, refused.problems))) from refused
        return text


@admin.register(CostSheet)
class CostSheetAdmin(ServicesAdmin[CostSheet], ReadOnlyAdmin[CostSheet]):
    """Every version stays; adding one begins with the one that counts now."""

    form = SheetForm
    list_display = ("__str__", "entered_by", "entered_at")
    list_select_related = ("entered_by",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and costs.may_enter_costs(_user(request))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:  # noqa: ARG002 -- Django's signature
        last = costs.sheets().first()
        return {"document": last.document if last else documents.example_sheet()}

    def save_model(
        self,
        request: HttpRequest,
        obj: CostSheet,
        form: "forms.ModelForm[CostSheet]",  # noqa: ARG002
        change: bool,  # noqa: ARG002, FBT001 -- Django's signature
    ) -> None:
        made = inputs.enter_sheet(
            document=obj.document, reason=obj.reason, actor=_user(request), now=timezone.now()
        )
        obj.pk = made.pk


@admin.register(CostPeriod)
class CostPeriodAdmin(ReadOnlyAdmin[CostPeriod]):
    list_display = ("__str__", "state", "idle_policy", "calculated_at", "closed_by", "closed_at")
    list_select_related = ("closed_by",)
    exclude = ("names",)


@admin.register(CostStatement)
class CostStatementAdmin(ReadOnlyAdmin[CostStatement]):
    list_display = ("number", "cost_centre", "amount_minor", "currency", "lines", "digest")
    list_filter = ("period",)


@admin.register(CostAdjustment)
class CostAdjustmentAdmin(ReadOnlyAdmin[CostAdjustment]):
    list_display = ("__str__", "period", "corrects", "entered_by", "approved_by", "rejected_at")
    list_select_related = ("period", "entered_by", "approved_by")


@admin.register(CostCentreBudget)
class CostCentreBudgetAdmin(ReadOnlyAdmin[CostCentreBudget]):
    list_display = ("__str__", "amount_minor", "currency", "blocks", "set_by", "set_at")
    list_select_related = ("cost_centre", "set_by")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- the admin site lets nobody else in
    return request.user
