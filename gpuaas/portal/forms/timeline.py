"""What the calendar is asked for: days to show, a window that fits, another window of a booking."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext

from gpuaas.core.language import later
from gpuaas.portal import wording
from gpuaas.portal.cards.timeline import DAYS, Span
from gpuaas.portal.forms.booking import MomentField

if TYPE_CHECKING:
    from django.http import QueryDict

    from gpuaas.inventory.resource_types import ResourceType

WEEK: Final = "week"
FARTHEST: Final = timedelta(days=3660)
LENGTHS: Final = (
    (1, "1 h"),
    (2, "2 h"),
    (4, "4 h"),
    (8, "8 h"),
    (24, later("1 day")),
    (72, later("3 days")),
)


def span_of(view: str, day: str, *, today: date) -> Span:
    """Return the days that a link names; what it does not name, or wrongly, is this week."""
    try:
        first = date.fromisoformat(day)
    except ValueError:
        first = today
    if abs(first - today) > FARTHEST:
        first = today
    return Span(view if view in DAYS else WEEK, first)


class FitForm(forms.Form):
    """What should fit into the window to jump to."""

    type = forms.ChoiceField(widget=forms.Select(attrs={"class": "form-select"}))
    units = forms.IntegerField(
        min_value=1,
        max_value=1000,
        initial=1,
        widget=forms.NumberInput(attrs={"class": "form-control"}),
    )
    hours = forms.TypedChoiceField(
        choices=LENGTHS,
        coerce=int,
        initial=2,
        label=later("How long"),
        widget=forms.Select(attrs={"class": "form-select"}),
    )

    def __init__(self, data: "QueryDict | None", *, types: "Sequence[ResourceType]") -> None:
        super().__init__(data, auto_id="fit_%s")
        self.fields["type"].choices = [  # type: ignore[attr-defined]
            (each.resource_name, wording.resource(each.resource_name)) for each in types
        ]


class DragForm(forms.Form):
    """The window that a bar was dragged to."""

    starts_at = MomentField()
    ends_at = MomentField()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if len(data) == len(self.fields) and data["ends_at"] <= data["starts_at"]:
            self.add_error("ends_at", gettext("It has to end after it starts."))
        return data
