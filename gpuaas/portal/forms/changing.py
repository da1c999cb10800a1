"""What people type to change a booking: another end, or another wish altogether."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms

from gpuaas.portal.forms.booking import FIELD_OF_PROBLEM, MomentField
from reservations import services
from reservations.capacity import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpuaas.inventory.models import Pool
    from gpuaas.portal.cards.types import TypeCard
    from reservations import policy
    from reservations.models import Reservation


class EndForm(forms.Form):
    """A new end; left empty it is as late as possible."""

    ends_at = MomentField(required=False)


class MoveForm(forms.Form):
    """Another window, type or number of units.  What is not typed stays as it is."""

    type = forms.ChoiceField(required=False)
    units = forms.IntegerField(required=False, min_value=1, max_value=1000)
    starts_at = MomentField(required=False)
    ends_at = MomentField(required=False)

    def __init__(self, *args: Any, types: "Sequence[TypeCard]", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cards = {card.value: card for card in types}
        self.fields["type"].choices = [  # type: ignore[attr-defined]
            (card.value, f"{card.title}, {card.pool}") for card in types
        ]

    def wish(self, of: "Reservation", pools: "Mapping[str, Pool]") -> "tuple[Pool, services.Wish]":
        """Return what ``of`` is to become, and in which pool; without a new end, as long as it is.

        CPU, memory and storage are a fair share of another type or number of units.
        """
        data, was = self.cleaned_data, services.wish_of(of)
        card = self.cards.get(data["type"])
        pool = pools[card.pool_slug] if card else of.pool
        resource_name = card.resource_name if card else was.resource_name
        units = data["units"] or was.units
        if (pool, resource_name, units) != (of.pool, was.resource_name, was.units):
            share = services.usual_demand(pool=pool, resource_name=resource_name, units=units)
            was = replace(
                was,
                cpu_millicores=share.cpu_millicores,
                memory_mib=share.memory_mib,
                storage_gib=share.storage_gib,
            )
        return pool, replace(
            was, resource_name=resource_name, units=units, window=self._window(of.window)
        )

    def _window(self, was: Window) -> Window:
        starts_at: datetime = self.cleaned_data["starts_at"] or was.starts_at
        ends_at: datetime | None = self.cleaned_data["ends_at"]
        return Window(starts_at, ends_at or starts_at + was.length)


def add_problems(form: forms.Form, problems: "Iterable[policy.Problem]") -> None:
    """Put what the domain has against it beside the fields of ``form``."""
    for problem in problems:
        field = FIELD_OF_PROBLEM.get(problem.field, problem.field)
        error = forms.ValidationError(problem.message, code=problem.code)
        form.add_error(field if field in form.fields else None, error)
