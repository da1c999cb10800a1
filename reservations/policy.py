"""What may be booked at all: rules that give every reason against at once.  Pure.

Each problem names the rule, the number and the nearest yes.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from reservations.capacity import Demand, Window

SHORTEST: Final = timedelta(minutes=15)
# Also bounds the start range that the capacity sweep has to read.
LONGEST: Final = timedelta(days=14)
HORIZON: Final = timedelta(days=90)
# Less of anything, and no workspace comes up.
LEAST: Final = Demand(devices=1, cpu_millicores=1000, memory_mib=1024, storage_gib=10)

UNIT_OF: Final = {
    "cpu_millicores": "thousandths of a core",
    "memory_mib": "MiB of memory",
    "storage_gib": "GiB of storage",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason against: a stable code, the field it is about, and a sentence for people."""

    code: str
    field: str
    message: str


def problems_with(*, window: Window, units: int, now: datetime) -> tuple[Problem, ...]:
    """Return every reason against booking ``units`` for ``window``; empty means none."""
    return (*_window_problems(window, now), *_unit_problems(units))


def _window_problems(window: Window, now: datetime) -> list[Problem]:
    found = []
    if window.ends_at <= window.starts_at:
        found.append(
            Problem(
                "window_ends_before_it_starts",
                "ends_at",
                f"it must end after it starts: choose an end after {_say(window.starts_at)}",
            )
        )
    elif window.length < SHORTEST:
        found.append(
            Problem(
                "window_too_short",
                "ends_at",
                f"the shortest booking is 15 minutes, yours is {_length(window.length)}: "
                f"end it at {_say_from(_later(window.starts_at, SHORTEST))} or later",
            )
        )
    elif window.length > LONGEST:
        found.append(
            Problem(
                "window_too_long",
                "ends_at",
                f"the longest booking is 14 days, yours is {_length(window.length)}: "
                f"end it by {_say(window.starts_at + LONGEST)}",
            )
        )
    if window.starts_at < now:
        found.append(
            Problem(
                "window_in_the_past",
                "starts_at",
                f"only the future can be booked: the earliest start is {_say_from(now)}",
            )
        )
    elif window.starts_at > now + HORIZON:
        found.append(
            Problem(
                "beyond_the_horizon",
                "starts_at",
                f"bookings open 90 days ahead: start by {_say(now + HORIZON)}",
            )
        )
    return found


def _unit_problems(units: int) -> list[Problem]:
    if units >= 1:
        return []
    return [Problem("too_few_units", "units", f"book at least 1 unit, not {units}")]


def problems_with_demand(demand: Demand) -> tuple[Problem, ...]:
    """Return every quantity of ``demand`` that is too small for a workspace."""
    return tuple(
        Problem(
            "too_little",
            quantity,
            f"a booking needs at least {getattr(LEAST, quantity)} {unit}, "
            f"not {getattr(demand, quantity)}",
        )
        for quantity, unit in UNIT_OF.items()
        if getattr(demand, quantity) < getattr(LEAST, quantity)
    )


def problems_with_size(
    demand: Demand, *, nodes: Collection[Demand], where: str
) -> tuple[Problem, ...]:
    """Return every quantity of which no node has as much even when empty (devices aside)."""
    return tuple(
        Problem(
            "too_much",
            quantity,
            f"the largest node of {where} has {most} {unit}, "
            f"you asked for {getattr(demand, quantity)}",
        )
        for quantity, unit in UNIT_OF.items()
        if getattr(demand, quantity)
        > (most := max((getattr(node, quantity) for node in nodes), default=0))
    )


def _later(instant: datetime, by: timedelta) -> datetime:
    """Add without falling off the end of the calendar."""
    return instant + min(by, datetime.max.replace(tzinfo=UTC) - instant)


def _say(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _say_from(instant: datetime) -> str:
    """Name a full minute that is not before ``instant``: what is offered must be accepted."""
    return _say(_later(instant, timedelta(seconds=59, microseconds=999_999)))


def _length(length: timedelta) -> str:
    minutes = int(length.total_seconds()) // 60
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 min"
