"""When: shortest, longest, horizon, lead time, quiet hours, cool-down."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from reservations.capacity import Window
from reservations.policy.limits import Ask, Limits, QuietHours, Usage
from reservations.policy.problems import (
    Problem,
    full_minute_from,
    full_minute_until,
    in_minutes,
    say,
    say_length,
)

_MINUTE: Final = timedelta(minutes=1)
# Quiet hours leave some minute of the day free; the clock may skip it on one day, not on two.
_MINUTES_TO_TRY: Final = 3 * 24 * 60


def shortest(limits: Limits, ask: Ask) -> Iterator[Problem]:
    """Not shorter than that; the nearest yes ends later."""
    if limits.shortest is None or not timedelta(0) < ask.window.length < limits.shortest:
        return
    starts_at = ask.window.starts_at
    nearest = Window(starts_at, full_minute_from(starts_at + limits.shortest))
    yield Problem(
        "window_too_short",
        "ends_at",
        f"the shortest booking of {limits.name} is {say_length(limits.shortest)}, "
        f"yours is {say_length(ask.window.length)}: end it at {say(nearest.ends_at)} or later",
        limit=in_minutes(limits.shortest),
        asked=in_minutes(ask.window.length),
        unit="minutes",
        nearest=nearest,
        overridable_by=limits.approver,
    )


def longest(limits: Limits, ask: Ask) -> Iterator[Problem]:
    """Not longer than that; the nearest yes ends earlier."""
    if limits.longest is None or ask.window.length <= limits.longest:
        return
    starts_at = ask.window.starts_at
    nearest = Window(starts_at, starts_at + limits.longest)
    yield Problem(
        "window_too_long",
        "ends_at",
        f"the longest booking of {limits.name} is {say_length(limits.longest)}, "
        f"yours is {say_length(ask.window.length)}: end it by {say(nearest.ends_at)}",
        limit=in_minutes(limits.longest),
        asked=in_minutes(ask.window.length),
        unit="minutes",
        nearest=nearest,
        overridable_by=limits.approver,
    )


def horizon(limits: Limits, ask: Ask) -> Iterator[Problem]:
    """Not that far ahead; the nearest yes is the latest start."""
    if limits.horizon is None or ask.window.starts_at <= ask.now + limits.horizon:
        return
    latest = full_minute_until(ask.now + limits.horizon)
    yield Problem(
        "beyond_the_horizon",
        "starts_at",
        f"bookings of {limits.name} open {say_length(limits.horizon)} ahead: "
        f"start by {say(latest)}",
        limit=in_minutes(limits.horizon),
        asked=in_minutes(ask.window.starts_at - ask.now),
        unit="minutes",
        nearest=_moved(ask.window, latest),
        overridable_by=limits.approver,
    )


def lead_time(limits: Limits, ask: Ask) -> Iterator[Problem]:
    """Not at such short notice; the nearest yes is the earliest start."""
    if limits.lead_time is None or ask.window.starts_at >= ask.now + limits.lead_time:
        return
    earliest = full_minute_from(ask.now + limits.lead_time)
    yield Problem(
        "lead_time_too_short",
        "starts_at",
        f"{limits.name} is booked at least {say_length(limits.lead_time)} ahead: "
        f"start at {say(earliest)} or later",
        limit=in_minutes(limits.lead_time),
        asked=in_minutes(max(ask.window.starts_at - ask.now, timedelta(0))),
        unit="minutes",
        nearest=_moved(ask.window, earliest),
        overridable_by=limits.approver,
    )


def quiet_hours(limits: Limits, ask: Ask, zone: tzinfo) -> Iterator[Problem]:
    """Not started then; a booking may run through it.  The nearest yes is the first start after.

    The wall clock decides: a time that it shows twice counts twice, one that it skips never comes.
    """
    quiet = limits.quiet
    if quiet is None or not _is_quiet(quiet, ask.window.starts_at, zone):
        return
    first = _first_not_quiet(quiet, ask.window.starts_at, zone)
    yield Problem(
        "quiet_hours",
        "starts_at",
        f"nothing starts in {limits.name} from {quiet.starts:%H:%M} until {quiet.until:%H:%M} "
        f"({zone}): start at {say(first)} or later",
        nearest=_moved(ask.window, first),
        overridable_by=limits.approver,
    )


def cool_down(limits: Limits, ask: Ask, usage: Usage) -> Iterator[Problem]:
    """Not right after another of the team's in this pool, nor right before.

    Bookings that overlap are not one after the other: how many may run at once is another limit.
    The nearest yes is the first start that keeps the pause.
    """
    pause = limits.cool_down
    if pause is None:
        return
    here = [booked.window for booked in usage if booked.is_here]
    too_near = [other for other in here if _is_too_near(ask.window, other, pause)]
    if not too_near:
        return
    starts = sorted(full_minute_from(other.ends_at + pause) for other in here)
    nearest = next(
        moved
        for at in starts
        if at >= ask.window.starts_at
        for moved in [_moved(ask.window, at)]
        if not any(_is_too_near(moved, other, pause) for other in here)
    )
    gap = min(_gap(ask.window, other) for other in too_near)
    yield Problem(
        "cool_down",
        "starts_at",
        f"between two bookings of a team in {limits.name} lie at least {say_length(pause)}, here "
        f"{say_length(gap)}: start at {say(nearest.starts_at)} or later",
        limit=in_minutes(pause),
        asked=in_minutes(gap),
        unit="minutes",
        nearest=nearest,
        overridable_by=limits.approver,
    )


def _gap(one: Window, other: Window) -> timedelta:
    """Return how long lies between two windows that do not overlap."""
    return max(one.starts_at - other.ends_at, other.starts_at - one.ends_at)


def _is_too_near(one: Window, other: Window, pause: timedelta) -> bool:
    return not one.overlaps(other) and _gap(one, other) < pause


def _is_quiet(quiet: QuietHours, instant: datetime, zone: tzinfo) -> bool:
    return quiet.contain(instant.astimezone(zone).time())


def _first_not_quiet(quiet: QuietHours, instant: datetime, zone: tzinfo) -> datetime:
    first = full_minute_from(instant).astimezone(UTC)
    return next(
        at
        for minutes in range(_MINUTES_TO_TRY)
        if not _is_quiet(quiet, at := first + minutes * _MINUTE, zone)
    )


def _moved(window: Window, starts_at: datetime) -> Window:
    return Window(starts_at, starts_at + window.length)
