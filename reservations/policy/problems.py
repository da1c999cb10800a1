"""Reasons against a booking: what each of them says, as a sentence and as data."""

import enum
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reservations.capacity import Window


class Approver(enum.IntEnum):
    """Who may set a rule aside.  Whoever stands higher may do what those below may."""

    MANAGER = 1
    PLATFORM_ADMIN = 2

    @property
    def title(self) -> str:
        return {1: "a manager of the team", 2: "a platform administrator"}[self.value]


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason against: a stable code, the field it is about, and a sentence for people.

    ``limit`` and ``asked`` are whole numbers of ``unit`` (minutes, units, gpu_hours, minor_units).
    ``nearest`` is what this rule would have let pass: a window, or a number of units; None where
    there is none near.  ``overridable_by`` is the least who may set the rule aside; None: nobody.
    """

    code: str
    field: str
    message: str
    limit: int | None = None
    asked: int | None = None
    unit: str = ""
    nearest: Window | int | None = None
    overridable_by: Approver | None = None

    @property
    def is_overridable(self) -> bool:
        return self.overridable_by is not None

    def may_be_set_aside_by(self, authority: Approver | None) -> bool:
        """Return whether somebody with ``authority`` may approve in spite of it."""
        return (
            self.overridable_by is not None
            and authority is not None
            and authority >= self.overridable_by
        )


def standing(
    problems: Iterable[Problem], *, override: Collection[str], authority: Approver | None
) -> tuple[Problem, ...]:
    """Return those of ``problems`` that remain when ``override`` codes are set aside."""
    return tuple(
        problem
        for problem in problems
        if problem.code not in override or not problem.may_be_set_aside_by(authority)
    )


def later(instant: datetime, by: timedelta) -> datetime:
    """Add without falling off the end of the calendar."""
    return instant + min(by, datetime.max.replace(tzinfo=UTC) - instant)


def full_minute_from(instant: datetime) -> datetime:
    """Return the first full minute that is not before ``instant``: what can be typed in a form."""
    return later(instant, timedelta(seconds=59, microseconds=999_999)).replace(
        second=0, microsecond=0
    )


def full_minute_until(instant: datetime) -> datetime:
    """Return the last full minute that is not after ``instant``."""
    return instant.replace(second=0, microsecond=0)


def say(instant: datetime) -> str:
    """Name an instant to the minute."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def say_from(instant: datetime) -> str:
    """Name a full minute that is not before ``instant``: what is offered must be accepted."""
    return say(full_minute_from(instant))


def say_length(length: timedelta) -> str:
    """Name a length in days, hours and minutes."""
    minutes = in_minutes(length)
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 min"


def in_minutes(length: timedelta) -> int:
    """Return the whole minutes of ``length``."""
    return length // timedelta(minutes=1)
