"""When something may be closed: rules that give every reason against at once.  Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

LONGEST: Final = timedelta(days=366)
HORIZON: Final = timedelta(days=2 * 366)


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason against: a stable code, the field it is about, and a sentence for people."""

    code: str
    field: str
    message: str


def problems_with(
    *, starts_at: datetime, ends_at: datetime, reason: str, now: datetime
) -> tuple[Problem, ...]:
    """Return every reason against closing something from ``starts_at`` to ``ends_at``."""
    return tuple(_problems(starts_at, ends_at, reason, now))


def _problems(
    starts_at: datetime, ends_at: datetime, reason: str, now: datetime
) -> Iterator[Problem]:
    if not reason.strip():
        yield Problem("reason_missing", "reason", "say why: people will ask")
    # Inputs have whole minutes: the current one means now.
    if starts_at < now.replace(second=0, microsecond=0):
        yield Problem(
            "closure_in_the_past",
            "starts_at",
            f"it would have started at {_at(starts_at)}; the earliest start is now, {_at(now)}",
        )
    elif starts_at - now > HORIZON:
        yield Problem(
            "closure_too_far",
            "starts_at",
            f"a closure starts within {HORIZON.days} days, by {_at(now + HORIZON)}",
        )
    if ends_at <= starts_at:
        yield Problem(
            "closure_ends_first",
            "ends_at",
            f"it ends at {_at(ends_at)} and has to end after {_at(starts_at)}",
        )
    elif ends_at - starts_at > LONGEST:
        yield Problem(
            "closure_too_long",
            "ends_at",
            f"a closure lasts {LONGEST.days} days at most, here until {_at(starts_at + LONGEST)};"
            " what is gone for longer is retired",
        )


def _at(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
