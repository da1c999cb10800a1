"""What platform administrators type about the hardware."""

from typing import Any

from django import forms

from gpuaas.core.language import later
from gpuaas.inventory import files
from gpuaas.inventory.models import PLANNED_BY_HAND, DeviceState
from gpuaas.portal.forms.booking import MomentField


class StateForm(forms.Form):
    """The new state of a device, and why."""

    state = forms.ChoiceField(choices=DeviceState.choices)
    reason = forms.CharField(required=False, max_length=300)


class NodeForm(forms.Form):
    """Whether a node is booked, and why not."""

    is_schedulable = forms.TypedChoiceField(
        choices=(("no", later("Out of service")), ("yes", later("In service"))),
        coerce=lambda value: value == "yes",
    )
    reason = forms.CharField(required=False, max_length=300)


class SharingForm(forms.Form):
    """Whether a pool's devices are shared between teams, and why."""

    is_shared = forms.TypedChoiceField(
        choices=(("no", later("Not shared")), ("yes", later("Shared"))),
        coerce=lambda value: value == "yes",
    )
    reason = forms.CharField(required=False, max_length=200)


class ClosureForm(forms.Form):
    """What is closed, from when to when; ``target`` is ``pool:<slug>`` or ``node:<id>``."""

    target = forms.ChoiceField(label=later("What"))
    kind = forms.ChoiceField(choices=PLANNED_BY_HAND)
    starts_at = MomentField(label=later("From"))
    ends_at = MomentField(label=later("Until"))
    reason = forms.CharField(max_length=200, help_text=later("Everybody reads it."))

    def __init__(self, *args: Any, targets: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["target"].choices = targets  # type: ignore[attr-defined]


class LayoutForm(forms.Form):
    """Which GPU (``<node id>/<index>``) is cut into what (``<type>=<count>``), and when."""

    gpu = forms.ChoiceField(label="GPU")
    cut = forms.ChoiceField(label=later("Cut into"))
    starts_at = MomentField(label=later("From"))
    ends_at = MomentField(label=later("Until"))
    reason = forms.CharField(max_length=200, help_text=later("Everybody reads it."))

    def __init__(
        self,
        *args: Any,
        gpus: list[tuple[str, str]],
        cuts: list[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["gpu"].choices = gpus  # type: ignore[attr-defined]
        self.fields["cut"].choices = cuts  # type: ignore[attr-defined]


class ImportForm(forms.Form):
    """An inventory file: chosen, or pasted."""

    file = forms.FileField(required=False, max_length=200)
    yaml = forms.CharField(required=False, strip=False, max_length=files.LARGEST_BYTES)

    def content(self) -> bytes:
        """Return what was given, as far as it is read."""
        upload = self.cleaned_data.get("file")
        if upload is not None:
            return bytes(upload.read(files.LARGEST_BYTES + 1))
        return str(self.cleaned_data.get("yaml", "")).encode()
