"""What may be booked at all, whatever a pool or a team says: the product's own bounds.

Each problem names the rule, the number and the nearest yes.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from reservations.capacity import Demand, Window
from reservations.policy.problems import (
    Problem,
    full_minute_from,
    in_minutes,
    later,
    say,
    say_from,
    say_length,
)

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
                f"it must end after it starts: choose an end after {say(window.starts_at)}",
            )
        )
    elif window.length < SHORTEST:
        found.append(
            Problem(
                "window_too_short",
                "ends_at",
                f"the shortest booking is 15 minutes, yours is {say_length(window.length)}: "
                f"end it at {say_from(later(window.starts_at, SHORTEST))} or later",
                limit=in_minutes(SHORTEST),
                asked=in_minutes(window.length),
                unit="minutes",
                nearest=Window(
                    window.starts_at, full_minute_from(later(window.starts_at, SHORTEST))
                ),
            )
        )
    elif window.length > LONGEST:
        found.append(
            Problem(
                "window_too_long",
                "ends_at",
                f"the longest booking is 14 days, yours is {say_length(window.length)}: "
                f"end it by {say(window.starts_at + LONGEST)}",
                limit=in_minutes(LONGEST),
                asked=in_minutes(window.length),
                unit="minutes",
                nearest=Window(window.starts_at, window.starts_at + LONGEST),
            )
        )
    if window.starts_at < now:
        found.append(
            Problem(
                "window_in_the_past",
                "starts_at",
                f"only the future can be booked: the earliest start is {say_from(now)}",
            )
        )
    elif window.starts_at > now + HORIZON:
        found.append(
            Problem(
                "beyond_the_horizon",
                "starts_at",
                f"bookings open 90 days ahead: start by {say(now + HORIZON)}",
            )
        )
    return found


def _unit_problems(units: int) -> list[Problem]:
    if units >= 1:
        return []
    return [
        Problem(
            "too_few_units", "units", f"book at least 1 unit, not {units}", 1, units, "units", 1
        )
    ]


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
