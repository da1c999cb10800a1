"""How a model is served in a session: lines to copy that fit what is booked.  Pure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from gpuaas.core.modes import AllocationMode

if TYPE_CHECKING:
    from reservations.models import Reservation

_WHOLE: Final = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True)
class ServeExample:
    """One line, and what it does."""

    what: str
    line: str


def examples_for(reservation: "Reservation") -> tuple[ServeExample, ...]:
    """Return lines that fit: a slice takes a small model, a whole GPU a large one.

    An interactive workspace holds one slot itself; without another one nothing is left to serve
    with, but for what needs no GPU.
    """
    is_interactive = reservation.mode == AllocationMode.INTERACTIVE.value
    slots = reservation.units - 1 if is_interactive else reservation.units
    small = ServeExample(gettext("A small model on the CPU"), "serve ollama qwen3:0.6b --slots 0")
    if slots < 1:
        return (small,)
    spread = f" --slots {slots}" if slots > 1 else ""
    model = (
        "meta-llama/Llama-3.3-70B-Instruct"
        if reservation.resource_name == _WHOLE
        else "Qwen/Qwen2.5-7B-Instruct"
    )
    over = (
        gettext("over {slots} slots").format(slots=slots) if slots > 1 else gettext("on one slot")
    )
    return (
        ServeExample(gettext("With vLLM, {over}").format(over=over), f"serve vllm {model}{spread}"),
        ServeExample(gettext("With Ollama"), "serve ollama qwen3:8b"),
        small,
    )
