"""When a GPU may be cut otherwise for a while, and step by step how that is done.  Pure.

The node is closed while its GPUs are cut: for ``CHANGE_TAKES`` from the layout's start, and again
from its end.  So no booking sees two cuts: what it was given it has until it ends.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from gpuaas.inventory import mig
from gpuaas.inventory.closing import HORIZON, Problem

CHANGE_TAKES: Final = timedelta(minutes=15)
SHORTEST: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=60)


class State(enum.StrEnum):
    """Where a planned layout is; also the code that programs see."""

    PLANNED = "planned"
    CLEARING = "clearing"
    CUTTING = "cutting"
    STANDS = "stands"
    CLEARING_BACK = "clearing_back"
    CUTTING_BACK = "cutting_back"
    ROLLING_BACK = "rolling_back"
    OVER = "over"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def label(self) -> str:
        """What people read."""
        return _LABELS[self]


_LABELS: Final[Mapping[State, str]] = {
    State.PLANNED: "Planned",
    State.CLEARING: "Waits for the node to be empty",
    State.CUTTING: "Is being cut",
    State.STANDS: "Stands",
    State.CLEARING_BACK: "Waits for the node to be empty, to go back",
    State.CUTTING_BACK: "Is being cut back",
    State.ROLLING_BACK: "Failed, is being cut back",
    State.OVER: "Over",
    State.FAILED: "Failed",
    State.CANCELED: "Cancelled",
}
TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.PLANNED: frozenset({State.CLEARING, State.FAILED, State.CANCELED}),
    State.CLEARING: frozenset({State.CUTTING, State.FAILED}),
    State.CUTTING: frozenset({State.STANDS, State.ROLLING_BACK}),
    State.STANDS: frozenset({State.CLEARING_BACK}),
    State.CLEARING_BACK: frozenset({State.CUTTING_BACK}),
    State.CUTTING_BACK: frozenset({State.OVER}),
    State.ROLLING_BACK: frozenset({State.FAILED}),
    State.OVER: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
}
TERMINAL: Final = frozenset(state for state, targets in TRANSITIONS.items() if not targets)
# Its time is taken, and nobody else's layout of the node can have it.
STANDING: Final = frozenset(State) - TERMINAL
# Nothing starts on the node, and its numbers mean nothing.
CHANGING: Final = frozenset(
    {
        State.CLEARING,
        State.CUTTING,
        State.CLEARING_BACK,
        State.CUTTING_BACK,
        State.ROLLING_BACK,
    }
)
# The GPU Operator is told the planned cut; before and after the node's own.
WANTS_THE_PLANNED: Final = frozenset({State.CUTTING, State.STANDS, State.CLEARING_BACK})


class Period(Protocol):
    """A half-open period of time."""

    @property
    def starts_at(self) -> datetime: ...

    @property
    def ends_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open period of time."""

    starts_at: datetime
    ends_at: datetime

    def overlaps(self, other: Period) -> bool:
        """Return whether some instant lies in both."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


@dataclass(frozen=True, slots=True)
class Times:
    """What a layout's start and end mean, instant by instant."""

    starts_at: datetime
    ends_at: datetime

    @property
    def changes(self) -> tuple[Span, Span]:
        """When the node is closed: there and back."""
        return (
            Span(self.starts_at, self.starts_at + CHANGE_TAKES),
            Span(self.ends_at, self.ends_at + CHANGE_TAKES),
        )

    @property
    def planned_exist(self) -> Span:
        """When the planned devices can be booked."""
        return Span(self.starts_at + CHANGE_TAKES, self.ends_at)

    @property
    def displaced_are_gone(self) -> Span:
        """When the devices that they displace cannot."""
        return Span(self.starts_at, self.ends_at + CHANGE_TAKES)


def in_words(cut: Mapping[str, int]) -> str:
    """Return a cut for people: ``one whole GPU``, ``2 slices of 2g.48gb``."""
    return ", ".join(
        "one whole GPU"
        if name == mig.WHOLE
        else f"{count} slice{'s' if count > 1 else ''} of {name.removeprefix(mig.SLICE_PREFIX)}"
        for name, count in sorted(cut.items())
    )


def problems_with(
    *, starts_at: datetime, ends_at: datetime, reason: str, now: datetime
) -> tuple[Problem, ...]:
    """Return every reason against such a layout, whatever is booked."""
    return tuple(_problems(starts_at, ends_at, reason, now))


def _problems(
    starts_at: datetime, ends_at: datetime, reason: str, now: datetime
) -> Iterator[Problem]:
    if not reason.strip():
        yield Problem("reason_missing", "reason", "say why: people will ask")
    if starts_at < now.replace(second=0, microsecond=0):
        yield Problem(
            "layout_in_the_past",
            "starts_at",
            f"it would have started at {at(starts_at)}; the earliest start is now, {at(now)}",
        )
    elif starts_at - now > HORIZON:
        yield Problem(
            "layout_too_far",
            "starts_at",
            f"a layout starts within {HORIZON.days} days, by {at(now + HORIZON)}",
        )
    if ends_at - starts_at < SHORTEST:
        yield Problem(
            "layout_too_short",
            "ends_at",
            f"cutting takes {_minutes(CHANGE_TAKES)} minutes each way: a layout lasts"
            f" {_minutes(SHORTEST)} minutes at least, here until {at(starts_at + SHORTEST)}",
        )
    elif ends_at - starts_at > LONGEST:
        yield Problem(
            "layout_too_long",
            "ends_at",
            f"a layout lasts {LONGEST.days} days at most, here until {at(starts_at + LONGEST)};"
            " what is to stay is imported",
        )


def in_the_way(times: Times, *, of_the_node: Period, is_displaced: bool) -> bool:
    """Return whether a booking stands in the way: on a displaced device, or during a change."""
    if is_displaced and times.displaced_are_gone.overlaps(of_the_node):
        return True
    return any(change.overlaps(of_the_node) for change in times.changes)


def nearest(
    times: Times,
    *,
    on_the_node: Iterable[Period],
    displaced: Iterable[Period],
    earliest: datetime,
    latest: datetime,
) -> Times | None:
    """Return the layout of the same length that starts as near as can be, and fits.

    ``on_the_node`` are bookings, and closures for other layouts, that a change must not meet;
    ``displaced`` those that the whole layout must not meet.  None: there is none until ``latest``.
    """
    length = times.ends_at - times.starts_at
    node, devices = list(on_the_node), list(displaced)
    candidates = {earliest, times.starts_at}
    for each in node:
        candidates |= {each.ends_at, each.ends_at - length}
        candidates |= {each.starts_at - CHANGE_TAKES, each.starts_at - CHANGE_TAKES - length}
    for each in devices:
        candidates |= {each.ends_at, each.starts_at - CHANGE_TAKES - length}
    for start in sorted(candidates, key=lambda each: (abs(each - times.starts_at), each)):
        if not earliest <= start <= latest:
            continue
        moved = Times(start, start + length)
        if any(in_the_way(moved, of_the_node=each, is_displaced=False) for each in node):
            continue
        if any(in_the_way(moved, of_the_node=each, is_displaced=True) for each in devices):
            continue
        return moved
    return None


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look shows of the layout's node.

    ``is_cut``: it is ready, the operator says that it has done what it was told, and what it offers
    is that.  ``failed_because``: the operator says that it could not.
    """

    is_in_use: bool
    is_cordoned: bool
    is_cut: bool
    failed_because: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Where a layout goes next, and why, for people."""

    to: State
    reason: str = ""


def next_step(
    state: State, times: Times, seen: Seen, *, since: datetime, now: datetime
) -> Step | None:
    """Return the one step that is due, None while there is nothing but to wait.

    ``since`` is when it came into ``state``.  Nothing is remembered but the state: what is seen
    decides, however many looks were missed.
    """
    if state in {State.PLANNED, State.CLEARING}:
        return _begin(state, times, seen, now)
    if state == State.CUTTING and not seen.is_cut:
        why = seen.failed_because or _too_late(since, now)
        return Step(State.ROLLING_BACK, why) if why else None
    is_empty = seen.is_cordoned and not seen.is_in_use
    is_done = {
        State.CUTTING: seen.is_cut,
        State.STANDS: now >= times.ends_at,
        State.CLEARING_BACK: is_empty,
        State.CUTTING_BACK: seen.is_cut,
        State.ROLLING_BACK: seen.is_cut,
    }
    return Step(_FOLLOWS[state]) if is_done.get(state) else None


_FOLLOWS: Final[Mapping[State, State]] = {
    State.CUTTING: State.STANDS,
    State.STANDS: State.CLEARING_BACK,
    State.CLEARING_BACK: State.CUTTING_BACK,
    State.CUTTING_BACK: State.OVER,
    State.ROLLING_BACK: State.FAILED,
}


def is_late(state: State, times: Times, seen: Seen, *, since: datetime, now: datetime) -> str:
    """Return why people should look at a layout that does not get on; empty: it does."""
    if state not in {State.CLEARING_BACK, State.CUTTING_BACK, State.ROLLING_BACK}:
        return ""
    if seen.failed_because and state != State.ROLLING_BACK:
        return seen.failed_because
    if state == State.CLEARING_BACK and now >= times.ends_at + CHANGE_TAKES:
        return "a session is still on the node" if seen.is_in_use else "it is not cordoned yet"
    return _too_late(since, now) if state != State.CLEARING_BACK else ""


def _begin(state: State, times: Times, seen: Seen, now: datetime) -> Step | None:
    if now < times.starts_at:
        return None
    if now >= times.changes[0].ends_at:
        return Step(State.FAILED, _why_not_begun(state, seen, times))
    if state == State.PLANNED:
        return Step(State.CLEARING)
    is_empty = seen.is_cordoned and not seen.is_in_use
    return Step(State.CUTTING) if is_empty and seen.is_cut else None


def _why_not_begun(state: State, seen: Seen, times: Times) -> str:
    until = f"until {at(times.changes[0].ends_at)}"
    if state == State.PLANNED:
        return f"nobody looked at its node {until}"
    if seen.is_in_use:
        return f"a session was on the node {until}: there was no gap"
    return f"the node did not show its own cut {until}, so it was not touched"


def _too_late(since: datetime, now: datetime) -> str:
    if now - since < CHANGE_TAKES:
        return ""
    return f"the node was not cut within {_minutes(CHANGE_TAKES)} minutes"


def _minutes(length: timedelta) -> int:
    return int(length / timedelta(minutes=1))


def at(instant: datetime) -> str:
    """Return an instant for people."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
