"""For how much: the month's budget, and what somebody has to approve first."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gpuaas.core.money import Money
from reservations.capacity import Window
from reservations.policy import periods, product
from reservations.policy.limits import Ask, Booked, Limits, Source, Usage, held_cost
from reservations.policy.problems import Approver, Problem, in_minutes, say, say_length

_MINUTE: Final = timedelta(minutes=1)


def budget(limits: Limits, ask: Ask, usage: Usage, *, shortest: timedelta) -> Iterator[Problem]:
    """Not more money in a calendar month: committed, plus actual, plus this.

    The nearest yes is the longest window that the budget pays, or else a start in a later month.
    Only a platform administrator may set it aside: it is the limit of those who manage the team.
    """
    most = limits.budget_minor
    if most is None or ask.cost_minor == 0:
        return
    spent = {month: spent_in(month, usage) for month in periods.months_of(ask.window)}
    costs = _costs_by_month(ask, ask.window)
    over = [month for month in costs if spent[month] + costs[month] > most]
    if not over:
        return
    month = over[0]
    left = max(most - spent[month], 0)
    nearest = _longest_that(lambda window: _pays(most, ask, window, usage), ask, shortest)
    nearest = nearest or _next_month(most, ask, usage)
    yield Problem(
        "budget_exceeded",
        "ends_at",
        f"{limits.name} has {Money(left, ask.currency)} of {Money(most, ask.currency)} left for "
        f"{month.starts_at:%B %Y} and this takes {Money(costs[month], ask.currency)} of it: "
        f"{_say_offer(nearest, ask.window)}",
        limit=most,
        asked=spent[month] + costs[month],
        unit="minor_units",
        nearest=nearest,
        overridable_by=Approver.PLATFORM_ADMIN,
    )


def approval_for_units(limits: Limits, ask: Ask, approver: Approver) -> Iterator[Problem]:
    """Ask for approval of more units; the nearest yes needs none."""
    most = limits.approval_above_units
    if most is None or ask.units <= most:
        return
    yield Problem(
        "approval_needed",
        "units",
        f"more than {most} units of {limits.name} need the approval of {approver.title}; "
        f"you asked for {ask.units}" + (f": {most} need none" if most else ""),
        limit=most,
        asked=ask.units,
        unit="units",
        nearest=most or None,
        overridable_by=approver,
    )


def approval_for_length(
    limits: Limits, ask: Ask, approver: Approver, *, shortest: timedelta
) -> Iterator[Problem]:
    """Ask for approval of a longer booking; the nearest yes needs none."""
    most = limits.approval_above
    if most is None or ask.window.length <= most:
        return
    starts_at = ask.window.starts_at
    nearest = Window(starts_at, starts_at + most) if most >= shortest else None
    yield Problem(
        "approval_needed",
        "ends_at",
        f"bookings of {limits.name} over {say_length(most)} need the approval of {approver.title}; "
        f"yours is {say_length(ask.window.length)}"
        + (f": until {say(nearest.ends_at)} it needs none" if nearest else ""),
        limit=in_minutes(most),
        asked=in_minutes(ask.window.length),
        unit="minutes",
        nearest=nearest,
        overridable_by=approver,
    )


def approval_for_cost(
    limits: Limits, ask: Ask, approver: Approver, *, shortest: timedelta
) -> Iterator[Problem]:
    """Ask for approval of a dearer booking; the nearest yes needs none."""
    most = limits.approval_above_cost_minor
    if most is None or ask.cost_minor <= most:
        return
    nearest = _longest_that(lambda window: ask.cost_of(window) <= most, ask, shortest)
    yield Problem(
        "approval_needed",
        "ends_at",
        f"bookings of {limits.name} over {Money(most, ask.currency)} need the approval of "
        f"{approver.title}; yours costs {Money(ask.cost_minor, ask.currency)}"
        + (f": until {say(nearest.ends_at)} it needs none" if nearest else ""),
        limit=most,
        asked=ask.cost_minor,
        unit="minor_units",
        nearest=nearest,
        overridable_by=approver,
    )


def approver_of(limits: Limits, *, managers_may_approve: bool) -> Approver:
    """Return the least who may approve above the thresholds of ``limits``."""
    if limits.source is Source.TEAM or managers_may_approve:
        return Approver.MANAGER
    return Approver.PLATFORM_ADMIN


def spent_in(month: Window, usage: Iterable[Booked]) -> int:
    """Return what of the cost of ``usage`` falls into ``month``."""
    return sum(
        _costs_of(booked.cost_minor, booked.window)[month]
        for booked in usage
        if booked.cost_minor and booked.window.overlaps(month)
    )


def actual_in(month: Window, usage: Collection[Booked], *, now: datetime) -> int:
    """Return what of that is for time that has passed at ``now``; the rest is committed."""
    total = 0
    for booked in usage:
        ends_at = min(booked.window.ends_at, now)
        if ends_at > booked.window.starts_at:
            past = Window(booked.window.starts_at, ends_at)
            cost = held_cost(booked.cost_minor, booked=booked.window, held=past)
            total += spent_in(month, [replace(booked, window=past, cost_minor=cost)])
    return min(total, spent_in(month, usage))


def _costs_of(cost_minor: int, window: Window) -> dict[Window, int]:
    months = list(periods.months_of(window))
    return dict(zip(months, periods.split(cost_minor, window, months), strict=True))


def _costs_by_month(ask: Ask, window: Window) -> dict[Window, int]:
    return _costs_of(ask.cost_of(window), window)


def _pays(most: int, ask: Ask, window: Window, usage: Usage) -> bool:
    return all(
        spent_in(month, usage) + cost <= most
        for month, cost in _costs_by_month(ask, window).items()
    )


def _longest_that(fits: Callable[[Window], bool], ask: Ask, shortest: timedelta) -> Window | None:
    """Return the longest window from the asked start, in whole minutes, that fits; None if none."""
    starts_at = ask.window.starts_at
    good, bad = in_minutes(shortest) - 1, in_minutes(ask.window.length) + 1
    found = None
    while bad - good > 1:
        middle = (good + bad) // 2
        window = Window(starts_at, starts_at + middle * _MINUTE)
        if fits(window):
            good, found = middle, window
        else:
            bad = middle
    return found


def _next_month(most: int, ask: Ask, usage: Usage) -> Window | None:
    ahead = Window(ask.window.starts_at, ask.now + product.HORIZON)
    for month in list(periods.months_of(ahead))[1:]:
        window = Window(month.starts_at, month.starts_at + ask.window.length)
        if _pays(most, ask, window, usage):
            return window
    return None


def _say_offer(nearest: Window | None, asked: Window) -> str:
    if nearest is None:
        return "ask for fewer units or a shorter time"
    if nearest.starts_at == asked.starts_at:
        return f"end it by {say(nearest.ends_at)}"
    return f"start at {say(nearest.starts_at)}"
