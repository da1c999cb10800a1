"""What a session's GPUs and models did, as words and as what its charts draw.  Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext

from gpuaas.portal.wording import duration

if TYPE_CHECKING:
    from tokenomics.selectors import Activity, Tokens

_ALL: Final = 0.9995
MODELS_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class ModelRow:
    """The tokens of one model, in words."""

    model: str
    prompt: str
    cached: str
    generated: str


@dataclass(frozen=True, slots=True)
class ActivityCard:
    """``drawings`` is for the charts; the words say the same to who does not see them."""

    has_gpus: bool
    has_tokens: bool
    facts: tuple[tuple[str, str], ...]
    gpu_words: str
    token_words: str
    models: tuple[ModelRow, ...]
    drawings: dict[str, Any]


def activity_card(activity: "Activity") -> ActivityCard:
    """Return what is shown of ``activity``."""
    total = activity.total
    return ActivityCard(
        has_gpus=bool(activity.gpu_active),
        has_tokens=total.total > 0,
        facts=tuple(_facts(activity)),
        gpu_words=gettext("GPU activity, {percent} on average").format(
            percent=_percent(activity.mean_active)
        ),
        token_words=gettext(
            "Tokens: {count} prompt, {count_2} from a cache, {count_3} generated"
        ).format(
            count=count(total.prompt_computed),
            count_2=count(total.prompt_cached),
            count_3=count(total.generated),
        ),
        models=tuple(_row(model, each) for model, each in activity.by_model[:MODELS_SHOWN]),
        drawings=_drawings(activity),
    )


def _facts(activity: "Activity") -> list[tuple[str, str]]:
    found = [(gettext("GPUs active"), _percent(activity.mean_active))]
    if activity.energy_kwh is not None and activity.measured_ratio is not None:
        part = "" if activity.measured_ratio >= _ALL else gettext(", as far as it was measured")
        found.append((gettext("Energy"), f"{activity.energy_kwh:,.3f} kWh{part}"))
    elif activity.measured_ratio is not None:
        found.append((gettext("Energy"), gettext("not measured: costs take the nameplate")))
    found.append((gettext("Tokens"), count(activity.total.total)))
    ratio = activity.coverage.ratio
    if ratio is not None:
        found.append(
            (
                gettext("Engines seen"),
                gettext("{ratio} of the time").format(ratio=_percent(float(ratio))),
            )
        )
    return found


def _row(model: str, tokens: "Tokens") -> ModelRow:
    return ModelRow(
        model, count(tokens.prompt_computed), count(tokens.prompt_cached), count(tokens.generated)
    )


def _drawings(activity: "Activity") -> dict[str, Any]:
    """Return what the charts draw: instants in ms since the epoch, activity from 0 to 1."""
    return {
        "since": _ms(activity.since),
        "until": _ms(activity.until),
        "step": duration(activity.step),
        "step_ms": activity.step.total_seconds() * 1000,
        "gpu": [[_ms(at), round(active, 4)] for at, active in activity.gpu_active],
        "tokens": {
            name: [[_ms(at), getattr(each, name)] for at, each in activity.tokens]
            for name in ("prompt_computed", "prompt_cached", "generated")
        },
    }


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _percent(share: float | None) -> str:
    return gettext("not seen yet") if share is None else f"{share:.0%}".replace("%", " %")


def count(number: int) -> str:
    """Return a number of tokens as people say it: 950, 12.4 k, 3.1 M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:,.1f} {unit}".replace(".0 ", " ")
    return str(number)
