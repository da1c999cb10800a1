"""How much: units at once, and GPU-hours a week."""

import math
from collections.abc import Iterable, Iterator
from datetime import timedelta, tzinfo
from fractions import Fraction
from typing import Final

from reservations import capacity
from reservations.capacity import Booking, Demand, Window
from reservations.policy import periods, product
from reservations.policy.limits import Ask, Booked, Limits, Source, Usage
from reservations.policy.problems import Problem, full_minute_from, full_minute_until, say

_SECOND: Final = timedelta(seconds=1)
_SECONDS_PER_HOUR: Final = 3600


def concurrent_units(limits: Limits, ask: Ask, usage: Usage) -> Iterator[Problem]:
    """Not more units at any one instant.  The nearest yes: fewer units, or else a later window."""
    most = limits.concurrent_units
    if most is None:
        return
    counted = _counted(limits, usage)
    busy = _peak(counted, ask.window)
    if busy + ask.units <= most:
        return
    left = max(most - busy, 0)
    later = _first_with_room(counted, ask, most) if ask.units <= most else None
    offers = [f"take {left}"] if left else []
    offers += [f"start at {say(later.starts_at)}"] if later else []
    yield Problem(
        "too_many_units_at_once",
        "units",
        f"{_whose(limits)} may hold {most} units at once; {busy} are booked in that window and "
        f"you asked for {ask.units}: {' or '.join(offers) or f'ask for {most} at most, later'}",
        limit=most,
        asked=busy + ask.units,
        unit="units",
        nearest=left or later,
        overridable_by=limits.approver,
    )


def gpu_hours(
    limits: Limits, ask: Ask, usage: Usage, *, zone: tzinfo, shortest: timedelta
) -> Iterator[Problem]:
    """Not more GPU-hours in an ISO week.

    A unit counts with its share of a physical GPU, and a booking over two weeks in each with its
    part.  The nearest yes ends earlier, or else starts with a later week.
    """
    most = limits.gpu_hours_per_week
    if most is None:
        return
    counted = _counted(limits, usage)
    over = [
        week
        for week in periods.weeks_of(ask.window, zone=zone)
        if hours_in(week, counted) + _hours_asked(ask, ask.window, week) > most
    ]
    if not over:
        return
    week = over[0]
    used, asked = hours_in(week, counted), _hours_asked(ask, ask.window, week)
    left = max(most - used, Fraction(0))
    nearest = _shortened(ask, week, left, shortest) or _next_week(ask, counted, most, zone)
    yield Problem(
        "gpu_hours_per_week",
        "ends_at",
        f"{_whose(limits)} may book {most} GPU-hours a week; {math.floor(left)} are left in the "
        f"week from {say(week.starts_at)} and this takes {math.ceil(asked)} of them: "
        f"{_say_offer(nearest, ask.window)}",
        limit=most,
        asked=math.ceil(used + asked),
        unit="gpu_hours",
        nearest=nearest,
        overridable_by=limits.approver,
    )


def _whose(limits: Limits) -> str:
    return limits.name if limits.source is Source.TEAM else f"a team in {limits.name}"


def _counted(limits: Limits, usage: Usage) -> list[Booked]:
    """Return what counts: for a pool what is booked in it, for a team everything of its own."""
    return [booked for booked in usage if limits.source is Source.TEAM or booked.is_here]


def _peak(usage: Iterable[Booked], window: Window) -> int:
    bookings = [Booking(booked.window, Demand(booked.units)) for booked in usage]
    return capacity.peak(bookings, within=window).devices


def _first_with_room(usage: list[Booked], ask: Ask, most: int) -> Window | None:
    latest = ask.now + product.HORIZON
    ends = sorted(full_minute_from(booked.window.ends_at) for booked in usage)
    for at in ends:
        window = Window(at, at + ask.window.length)
        if ask.window.starts_at < at <= latest and _peak(usage, window) + ask.units <= most:
            return window
    return None


def hours_in(week: Window, usage: Iterable[Booked]) -> Fraction:
    """Return the GPU-hours that ``usage`` takes of ``week``."""
    seconds = sum(
        (
            booked.units * booked.share * (periods.overlap(booked.window, week) // _SECOND)
            for booked in usage
            if booked.window.overlaps(week)
        ),
        Fraction(0),
    )
    return seconds / _SECONDS_PER_HOUR


def _hours_asked(ask: Ask, window: Window, week: Window) -> Fraction:
    return hours_in(week, [Booked(window, ask.units, share=ask.share)])


def _shortened(ask: Ask, week: Window, left: Fraction, shortest: timedelta) -> Window | None:
    begins = max(ask.window.starts_at, week.starts_at)
    seconds = math.floor(left * _SECONDS_PER_HOUR / (ask.units * ask.share))
    ends_at = full_minute_until(begins + seconds * _SECOND)
    if ends_at - ask.window.starts_at < shortest:
        return None
    return Window(ask.window.starts_at, ends_at)


def _next_week(ask: Ask, usage: list[Booked], most: int, zone: tzinfo) -> Window | None:
    ahead = Window(ask.window.starts_at, ask.now + product.HORIZON)
    for start in list(periods.weeks_of(ahead, zone=zone))[1:]:
        window = Window(start.starts_at, start.starts_at + ask.window.length)
        if all(
            hours_in(week, usage) + _hours_asked(ask, window, week) <= most
            for week in periods.weeks_of(window, zone=zone)
        ):
            return window
    return None


def _say_offer(nearest: Window | None, asked: Window) -> str:
    if nearest is None:
        return "ask for fewer units or a shorter time"
    if nearest.starts_at == asked.starts_at:
        return f"end it by {say(nearest.ends_at)}"
    return f"start at {say(nearest.starts_at)}"
