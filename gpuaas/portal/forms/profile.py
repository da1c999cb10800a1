"""How somebody wants pages and mails."""

import zoneinfo
from functools import cache
from typing import Any, Final

from django import forms
from django.conf import settings
from django.utils.translation import gettext

from gpuaas.accounts.models import Theme

# Names of places; not the aliases of old, nor the files of the system.
_PLACES: Final = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)


class ProfileForm(forms.Form):
    """Language, time zone and theme; each may stay as the browser has it."""

    language = forms.ChoiceField(required=False)
    time_zone = forms.ChoiceField(required=False)
    theme = forms.ChoiceField(choices=Theme.choices, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        languages = [("", gettext("As my browser asks")), *settings.LANGUAGES]
        zones = [("", gettext("As my device has it")), *((name, name) for name in _zones())]
        self.fields["language"].choices = languages  # type: ignore[attr-defined]
        self.fields["time_zone"].choices = zones  # type: ignore[attr-defined]


@cache
def _zones() -> tuple[str, ...]:
    known = zoneinfo.available_timezones()
    return ("UTC", *sorted(name for name in known if name.startswith(_PLACES)))
