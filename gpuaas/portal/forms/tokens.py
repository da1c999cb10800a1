"""What somebody types to get an API token."""

from typing import Any, Final

from django import forms

from gpuaas.accounts.models import TokenScope
from gpuaas.core.language import later
from gpuaas.portal.wording import plural

DAYS: Final = (7, 30, 90, 365)


class TokenForm(forms.Form):
    """A name to know it by, and for how many days it works: ``longest`` at most."""

    name = forms.CharField(max_length=60, error_messages={"required": later("Give it a name.")})
    scope = forms.ChoiceField(choices=TokenScope.choices, required=False)
    days = forms.TypedChoiceField(coerce=int)

    def __init__(self, *args: Any, longest: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [days for days in DAYS if days < longest] + [longest]
        self.fields["days"].choices = [  # type: ignore[attr-defined]
            (days, plural(days, "day")) for days in offered
        ]
        self.initial.setdefault("scope", TokenScope.FULL.value)
        self.initial.setdefault("days", offered[min(1, len(offered) - 1)])
