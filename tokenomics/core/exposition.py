"""What an engine or an exporter shows of itself, read from the text format of Prometheus.  Pure.

The text comes from a tenant's own pod: it is bounded before it is read, and one line that is
wrong spoils all of it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

MOST_CHARACTERS: Final = 4 * 1024 * 1024
MOST_LINES: Final = 40_000
LONGEST_LINE: Final = 8_192
LARGEST: Final = 2**53
"""Beyond it a float skips whole numbers, so that it cannot count."""


class BadExposition(ValueError):
    """What was shown cannot be counted; the message names the line or the metric."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value, as it was printed."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Exposition:
    """Every sample by its name.  A counter has the suffix ``_total``, printed or not."""

    samples: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)

    def named(self, name: str) -> tuple[Sample, ...]:
        """Return the samples of ``name``, in the order in which they were printed."""
        return self.samples.get(name, ())

    def has(self, prefix: str) -> bool:
        """Return whether some metric begins with ``prefix``."""
        return any(name.startswith(prefix) for name in self.samples)


def read(text: str) -> Exposition:
    """Return what ``text`` shows.  Raises `BadExposition`."""
    if len(text) > MOST_CHARACTERS:
        raise BadExposition(f"{len(text)} characters: at most {MOST_CHARACTERS} are read")
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        raise BadExposition(f"{len(lines)} lines: at most {MOST_LINES} are read")
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise BadExposition(f"line {number}: longer than {LONGEST_LINE} characters")
    try:
        return Exposition(_by_name(lines))
    except (ValueError, IndexError, KeyError) as error:
        number = next((n for n, line in enumerate(lines, 1) if not _is_readable(line)), 0)
        where = f"line {number}" if number else "the whole"
        raise BadExposition(f"{where}: not the text format of Prometheus") from error


def whole(sample: Sample) -> int:
    """Return the sample's value as what a counter counts.  Raises `BadExposition`."""
    if math.isnan(sample.value):
        raise BadExposition(f"{sample.name}: is not a number")
    if not 0 <= sample.value <= LARGEST:
        raise BadExposition(f"{sample.name}: {sample.value:g} is not from 0 to 2^53")
    return round(sample.value)


def total(samples: Iterable[Sample]) -> int | None:
    """Return the sum of the samples, None when there are none.  Raises `BadExposition`."""
    counted = [whole(each) for each in samples]
    return sum(counted) if counted else None


def _by_name(lines: list[str]) -> dict[str, tuple[Sample, ...]]:
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families("\n".join(lines)):
        for name, labels, value, *_ in family.samples:
            found.setdefault(name, []).append(Sample(name, labels, value))
    return {name: tuple(samples) for name, samples in found.items()}


def _is_readable(line: str) -> bool:
    try:
        _by_name([line])
    except (ValueError, IndexError, KeyError):
        return False
    return True
