"""What a counter grew by between two readings, whatever happened to its process.  Pure.

Within one process a counter only grows.  Another birth, or a counter that fell, is another
process: all that it shows was counted since.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from tokenomics.core.engines.reading import FIGURES, Reading

SAME_BIRTH_SECONDS: Final = Decimal(2)
"""Births closer than this are one: some processes work theirs out anew each time."""

MOST_TOKENS_PER_SECOND: Final = 10_000_000
"""No pod makes more: a reading that says so is not believed."""


class AbsurdReading(ValueError):
    """A counter grew faster than any hardware can."""


@dataclass(frozen=True, slots=True)
class Known:
    """The last reading: its counters, and ``computed``, the most that was ever computed of them."""

    counters: Mapping[str, int]
    computed: int | None
    birth: Decimal | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Growth:
    """What was added, and what is known from now on.

    ``is_restart``: the process was another one.  ``is_unknown_start``: the counter is older than
    what we know, so that nothing of it is counted yet.
    """

    figures: Mapping[str, int | None]
    known: Known
    is_restart: bool = False
    is_unknown_start: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to book."""
        return not any(self.figures.values())


def growth(
    before: Known | None, now: Reading, *, read_at: datetime, born_since: datetime
) -> Growth:
    """Return what ``now`` has over ``before``.

    A series that was not known before counts whole if it was born after ``born_since`` (the start
    of its booking, or of its pod); else from here on.  Raises `AbsurdReading`.
    """
    restart = before is not None and is_another(before, now)
    computed = _computed(now)
    unknown_start = False
    start: Mapping[str, int] = {}
    start_computed = 0
    if before is None:
        unknown_start = now.birth is not None and now.birth < Decimal(int(born_since.timestamp()))
        if unknown_start:
            start, start_computed = now.counters, computed or 0
    elif not restart:
        start, start_computed = before.counters, before.computed or 0
        # What is worked out from two counters may fall behind for a moment; it never goes back.
        computed = computed if computed is None else max(computed, start_computed)
    figures: dict[str, int | None] = {
        name: now.counters[name] - start.get(name, 0) if name in now.counters else None
        for name in FIGURES
    }
    figures["prompt_computed"] = None if computed is None else computed - start_computed
    since = before.read_at if before else born_since
    _refuse_absurd(figures, seconds=(read_at - since).total_seconds())
    return Growth(
        figures=figures,
        known=Known(now.counters, computed, now.birth, read_at),
        is_restart=restart,
        is_unknown_start=unknown_start,
    )


def is_another(before: Known, now: Reading) -> bool:
    """Return whether ``now`` is of another process than ``before``."""
    was, born = before.birth, now.birth
    if was is not None and born is not None and abs(was - born) > SAME_BIRTH_SECONDS:
        return True
    return any(
        name in before.counters and value < before.counters[name]
        for name, value in now.counters.items()
    )


def _computed(now: Reading) -> int | None:
    if now.prompt_computed is not None or now.prompt_total is None:
        return now.prompt_computed
    return max(now.prompt_total - (now.prompt_cached or 0), 0)


def _refuse_absurd(figures: Mapping[str, int | None], *, seconds: float) -> None:
    most = int(MOST_TOKENS_PER_SECOND * max(seconds, 60.0))
    for name, number in figures.items():
        if number is not None and number > most:
            raise AbsurdReading(
                f"{name}: grew by {number} in {seconds:.0f} s; not more than {most} is believed"
            )
