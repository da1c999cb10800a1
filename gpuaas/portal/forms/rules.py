"""What administrators type about limits, rules and prices; what makes sense, the domain says."""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings

from gpuaas.core import money
from gpuaas.core.language import later
from gpuaas.portal.forms.booking import MomentField

if TYPE_CHECKING:
    from reservations.services import RulesRefused


class MoneyField(forms.DecimalField):
    """An amount as people write it, kept in minor units of the installation's currency."""

    def __init__(self, **options: Any) -> None:
        self._digits = money.digits_of(settings.CURRENCY)
        options.setdefault("min_value", 0)
        super().__init__(max_digits=15, decimal_places=self._digits, localize=False, **options)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, int):
            return f"{Decimal(value).scaleb(-self._digits):.{self._digits}f}"
        return value

    def clean(self, value: Any) -> Any:
        """Return minor units; None where nothing was typed."""
        amount = super().clean(value)
        return None if amount is None else int(amount.scaleb(self._digits))


def _number(label: str, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(label=label, help_text=help_text, required=False)


def _money(label: str, help_text: str = "") -> MoneyField:
    label = f"{label}, {settings.CURRENCY}"
    return MoneyField(label=label, help_text=help_text, required=False)


def _clock(label: str) -> forms.TimeField:
    clock = forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    return forms.TimeField(label=label, required=False, widget=clock)


class LimitsForm(forms.Form):
    """The limits of a team; what is empty is no limit."""

    budget_minor = _money(later("Budget a month"), later("Committed and used together."))
    gpu_hours_per_week = _number(
        later("GPU-hours a week"), later("A slice counts as its part of a GPU.")
    )
    concurrent_units = _number(later("Units at once"))
    longest_minutes = _number(later("Longest booking, minutes"))
    horizon_days = _number(later("Books ahead, days"))
    approval_above_units = _number(later("Approval above units"))
    approval_above_minutes = _number(later("Approval above minutes"))
    approval_above_cost_minor = _money(later("Approval above cost"))
    pools = forms.MultipleChoiceField(required=False)

    def __init__(self, *args: Any, pools: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pools"].choices = list(pools)  # type: ignore[attr-defined]

    @property
    def changes(self) -> dict[str, Any]:
        """What to set, in the domain's names."""
        found = {name: value for name, value in self.cleaned_data.items() if name != "pools"}
        has_budget = found["budget_minor"] is not None
        return {**found, "currency": settings.CURRENCY if has_budget else ""}


class PoolRulesForm(forms.Form):
    """The rules of a pool; what is empty is the product's own bound, or no limit."""

    shortest_minutes = _number(later("Shortest booking, minutes"))
    longest_minutes = _number(later("Longest booking, minutes"))
    horizon_days = _number(later("Opens ahead, days"))
    lead_time_minutes = _number(
        later("Lead time, minutes"), later("How long before its start one books.")
    )
    cool_down_minutes = _number(
        later("Cool-down, minutes"), later("A team's pause between two bookings.")
    )
    concurrent_units = _number(later("A team's units at once"))
    gpu_hours_per_week = _number(later("A team's GPU-hours a week"))
    quiet_from = _clock(later("Nothing starts from"))
    quiet_until = _clock(later("Nothing starts until"))
    time_zone = forms.CharField(
        label=later("Time zone"),
        max_length=64,
        help_text=later("Of quiet hours and weeks: Europe/Berlin."),
    )
    approval_above_units = _number(later("Approval above units"))
    approval_above_minutes = _number(later("Approval above minutes"))
    approval_above_cost_minor = _money(later("Approval above cost"))
    no_show_minutes = _number(later("Given back if nobody comes for, minutes"))
    idle_minutes = _number(
        later("Warned if nothing works for, minutes"), later("No GPU, kernel or terminal.")
    )
    idle_pause_minutes = _number(
        later("Paused if nothing works for, minutes"),
        later("The workspace stops; files and GPUs stay."),
    )
    idle_release_minutes = _number(later("Given back if nothing works for, minutes"))
    managers_may_approve = forms.BooleanField(
        label=later("A team's manager may approve"), required=False
    )


class PriceForm(forms.Form):
    """What a unit costs for an hour, and from when; an empty moment is now."""

    resource_name = forms.ChoiceField(label=later("Type"))
    minor_units_per_unit_hour = MoneyField(label=later("Price"))
    valid_from = MomentField(label=later("From"), required=False)

    def __init__(self, *args: Any, types: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resource_name"].choices = list(types)  # type: ignore[attr-defined]


def show_problems(form: forms.Form, refused: "RulesRefused") -> None:
    """Put each of the domain's problems beside its field."""
    for each in refused.problems:
        field = each.field if each.field in form.fields else None
        form.add_error(field, f"{each.message[:1].upper()}{each.message[1:]}.")
