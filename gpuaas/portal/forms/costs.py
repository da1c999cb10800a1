"""What finance types: cost centres, budgets, cost sheets and adjustments."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.utils.translation import gettext

from gpuaas.core.language import later
from gpuaas.portal.forms.rules import MoneyField
from tokenomics.models import IdlePolicy


class MonthField(forms.Field):
    """A month, written 2026-10; it is kept as its first day."""

    def to_python(self, value: Any) -> date | None:
        """Return the first day; None where nothing was typed."""
        if value in self.empty_values:
            return None
        try:
            return datetime.strptime(str(value).strip(), "%Y-%m").date()  # noqa: DTZ007 -- a month, no instant
        except ValueError as error:
            raise forms.ValidationError(
                gettext("Write a month as 2026-10."), code="invalid"
            ) from error


class AdjustmentForm(forms.Form):
    """An amount for a cost centre, and why; another person approves it."""

    cost_centre = forms.CharField(max_length=40)
    amount_minor = MoneyField(
        min_value=None, label=later("Amount"), help_text=later("Less than nothing is given back.")
    )
    reason = forms.CharField(max_length=300)
    corrects = MonthField(
        required=False,
        label=later("Corrects"),
        help_text=later("A closed month, written 2026-09; or nothing."),
    )


class IdlePolicyForm(forms.Form):
    """Who pays for what nobody booked."""

    policy = forms.TypedChoiceField(choices=IdlePolicy.choices, coerce=IdlePolicy)


class CostCentreForm(forms.Form):
    """What a cost centre is called, and whether its statements are booked."""

    code = forms.CharField(max_length=40)
    name = forms.CharField(max_length=80, required=False)
    is_charged = forms.TypedChoiceField(
        choices=(
            ("no", later("Showback: it is shown")),
            ("yes", later("Chargeback: it is booked")),
        ),
        coerce=lambda value: value == "yes",
        label=later("Its statements"),
    )


class BudgetForm(forms.Form):
    """What a cost centre may spend in a month; nothing typed ends its budget."""

    code = forms.CharField(max_length=40)
    valid_from = MonthField(label=later("From"))
    amount_minor = MoneyField(label=later("Budget a month"), required=False)
    blocks = forms.TypedChoiceField(
        choices=(("no", later("Only told")), ("yes", later("Refuses bookings"))),
        coerce=lambda value: value == "yes",
        label=later("Over it"),
    )


class SheetForm(forms.Form):
    """A cost sheet, and why it is entered."""

    document = forms.CharField(max_length=200_000, strip=False)
    reason = forms.CharField(max_length=300)
