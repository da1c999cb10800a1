"""Scenarios and cloud prices in the admin site: to be read; prices can be entered anew."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.core.admin import ReadOnlyAdmin
from tokenomics import documents, selectors, services
from tokenomics.models import EnteredPrices, SavedScenario

if TYPE_CHECKING:
    _PricesForm = forms.ModelForm[EnteredPrices]
else:
    _PricesForm = forms.ModelForm


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


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- the admin site lets nobody else in
    return request.user
