"""What may be booked at all: rules that give every reason against at once.  Pure.

Each problem names the rule, the number and the nearest yes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reservations.capacity import Window

SHORTEST: Final = timedelta(minutes=15)
# Also bounds the start range that the capacity sweep has to read.
LONGEST: Final = timedelta(days=14)
HORIZON: Final = timedelta(days=90)


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
                f"end it at {_say(window.starts_at + SHORTEST)} or later",
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
                f"only the future can be booked: the earliest start is {_say(now)}",
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


def _say(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def _length(length: timedelta) -> str:
    minutes = int(length.total_seconds()) // 60
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 min"
