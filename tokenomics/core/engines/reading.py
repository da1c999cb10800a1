"""What one look at an engine tells: how far its counters stand, in three figures kept apart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tokenomics.core.exposition import BadExposition, Exposition, Sample, total

FIGURES: Final = ("prompt_computed", "prompt_cached", "generated", "requests")
MODEL_UNKNOWN: Final = "unknown"
LONGEST_MODEL: Final = 200
MOST_MODELS: Final = 200
_AS_PRINTED: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Reading:
    """How far the counters of one model stand in one process; None is unknown, never 0.

    ``prompt_total`` is computed and cached together, where only that is told.  ``birth`` is when
    what counts was born, in seconds since the epoch.
    """

    engine: str
    model: str
    replica: str = ""
    prompt_total: int | None = None
    prompt_computed: int | None = None
    prompt_cached: int | None = None
    generated: int | None = None
    requests: int | None = None
    birth: Decimal | None = None

    @property
    def counters(self) -> Mapping[str, int]:
        """The counters that are told, each of which can only grow while its process lives."""
        names = ("prompt_total", *FIGURES)
        told = {name: getattr(self, name) for name in names}
        return {name: value for name, value in told.items() if value is not None}


def by_label(samples: Iterable[Sample], *labels: str) -> dict[tuple[str, ...], list[Sample]]:
    """Return the samples by the values of ``labels``; several spellings are written ``a|b``."""
    found: dict[tuple[str, ...], list[Sample]] = {}
    for each in samples:
        key = tuple(_value(each, label) for label in labels)
        found.setdefault(key, []).append(each)
    if len(found) > MOST_MODELS:
        name = next(iter(samples)).name
        raise BadExposition(f"{name}: {len(found)} models: at most {MOST_MODELS} are read")
    return found


def model_of(name: str) -> str:
    """Return the model's name as it is kept.  Raises `BadExposition`."""
    if len(name) > LONGEST_MODEL or "\0" in name:
        raise BadExposition(f"a model's name has {len(name)} characters: at most {LONGEST_MODEL}")
    return name or MODEL_UNKNOWN


def matching(samples: Iterable[Sample], wanted: Mapping[str, str]) -> list[Sample]:
    """Return the samples whose labels are as ``wanted``."""
    return [s for s in samples if all(_value(s, key) == value for key, value in wanted.items())]


def birth_of(shown: Exposition, created: Iterable[Sample]) -> Decimal | None:
    """Return when the counters were born: by their own series, else by that of the process."""
    born = [s.value for s in created] or [
        s.value for s in shown.named("process_start_time_seconds")
    ]
    plausible = [value for value in born if 0 < value < 1e11]  # noqa: PLR2004 -- also no NaN
    return Decimal(repr(min(plausible))).quantize(_AS_PRINTED) if plausible else None


def sum_of(samples: Iterable[Sample], **wanted: str) -> int | None:
    """Return the sum of the samples with the ``wanted`` labels, None when there are none."""
    return total(matching(samples, wanted))


def _value(sample: Sample, label: str) -> str:
    return next((sample.labels[name] for name in label.split("|") if name in sample.labels), "")
