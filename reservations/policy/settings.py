"""Which rules can be set at all: every value that makes no sense, with its field, at once."""

from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from reservations.policy import product
from reservations.policy.problems import Problem, in_minutes

# Nothing of it is no limit: it is left empty.
_COUNTS: Final = (
    "shortest_minutes",
    "longest_minutes",
    "horizon_days",
    "lead_time_minutes",
    "concurrent_units",
    "gpu_hours_per_week",
    "cool_down_minutes",
    "hold_minutes",
    "no_show_minutes",
    "idle_minutes",
    "idle_pause_minutes",
    "idle_release_minutes",
)
# Nothing of it has a meaning: no money, or an approval for everything.
_THRESHOLDS: Final = (
    "budget_minor",
    "approval_above_units",
    "approval_above_minutes",
    "approval_above_cost_minor",
)
_MOST: Final = 2**31 - 1
_MOST_MINOR: Final = 2**53
_AT_MOST: Final = {
    "longest_minutes": in_minutes(product.LONGEST),
    "horizon_days": product.HORIZON // timedelta(days=1),
    "hold_minutes": 24 * 60,
}


def problems_with_values(values: Mapping[str, Any], *, currency: str) -> tuple[Problem, ...]:
    """Return what is wrong with the rules that ``values`` would make, field by field.

    ``currency`` is the only one that this installation counts in.
    """
    return (
        *_numbers(values),
        *_bounds(values),
        *_idle(values),
        *_quiet_hours(values),
        *_time_zone(values),
        *_money(values, currency),
    )


def _numbers(values: Mapping[str, Any]) -> Iterator[Problem]:
    for field in (*_COUNTS, *_THRESHOLDS):
        value, least = values.get(field), 1 if field in _COUNTS else 0
        most = _MOST_MINOR if field.endswith("_minor") else _MOST
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            yield Problem("not_a_number", field, "give a whole number, or leave it empty")
        elif value < least:
            message = f"give {least} or more, not {value}; leave it empty for no limit"
            yield Problem("too_small", field, message, least, value, nearest=least)
        elif value > most:
            yield Problem("too_large", field, f"give {most} or less", most, value, nearest=most)


def _bounds(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Narrow the product's own bounds, never widen them, and leave something that can be booked."""
    shortest, longest = _number(values, "shortest_minutes"), _number(values, "longest_minutes")
    least = in_minutes(product.SHORTEST)
    if shortest is not None and 1 <= shortest < least:
        message = f"no booking is shorter than {least} minutes: give {least} or more"
        yield Problem("beyond_the_product", "shortest_minutes", message, least, shortest)
    if longest is not None and 1 <= longest < (shortest or least):
        message = f"the longest is below the shortest: give {shortest or least} or more"
        yield Problem(
            "longest_below_shortest", "longest_minutes", message, shortest or least, longest
        )
    for field, most in _AT_MOST.items():
        value = _number(values, field)
        if value is not None and most < value <= _MOST:
            message = f"the product allows {most}: give {most} or less"
            yield Problem("beyond_the_product", field, message, most, value, nearest=most)
    if longest is None and shortest is not None and shortest > _AT_MOST["longest_minutes"]:
        most = _AT_MOST["longest_minutes"]
        message = f"no booking is longer than {most} minutes: give {most} or less"
        yield Problem("beyond_the_product", "shortest_minutes", message, most, shortest)
    lead = _number(values, "lead_time_minutes")
    ahead = (_number(values, "horizon_days") or _AT_MOST["horizon_days"]) * 24 * 60
    if lead is not None and lead > ahead:
        message = f"bookings open {ahead} minutes ahead: give {ahead} or less"
        yield Problem("lead_time_beyond_horizon", "lead_time_minutes", message, ahead, lead)


def _idle(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Nothing is taken away without a warning before."""
    warned = _number(values, "idle_minutes")
    for field in ("idle_pause_minutes", "idle_release_minutes"):
        value = _number(values, field)
        if value is None or not 1 <= value <= _MOST:
            continue
        if warned is None:
            message = "its person is to be warned before: give idle_minutes too"
            yield Problem("no_warning_before", field, message)
        elif value <= warned:
            message = f"its person is warned after {warned} minutes: give {warned + 1} or more"
            yield Problem("no_warning_before", field, message, warned, value, nearest=warned + 1)


def _quiet_hours(values: Mapping[str, Any]) -> Iterator[Problem]:
    ends = {field: values.get(field) for field in ("quiet_from", "quiet_until")}
    wrong = [
        field
        for field, value in ends.items()
        if value is not None and not (isinstance(value, time) and value.tzinfo is None)
    ]
    for field in wrong:
        yield Problem("not_a_time", field, "give a time of the day, such as 22:00")
    if wrong:
        return
    missing = [field for field, value in ends.items() if value is None]
    if len(missing) == 1:
        message = "quiet hours need a beginning and an end: give both or neither"
        yield Problem("quiet_hours_incomplete", missing[0], message)
    elif not missing and ends["quiet_from"] == ends["quiet_until"]:
        message = "quiet hours that end when they begin are none or all day: give another end"
        yield Problem("quiet_hours_equal", "quiet_until", message)


def _time_zone(values: Mapping[str, Any]) -> Iterator[Problem]:
    name = values.get("time_zone", "UTC")
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError, TypeError):  # as the standard library has it
        message = f"{name} is no time zone: give a name such as Europe/Berlin"
        yield Problem("unknown_time_zone", "time_zone", message)


def _money(values: Mapping[str, Any], currency: str) -> Iterator[Problem]:
    given = values.get("currency", "")
    if values.get("budget_minor") is not None and not given:
        message = f"a budget needs its currency: {currency}"
        yield Problem("currency_missing", "currency", message)
    elif given not in ("", currency):
        message = f"this installation counts in {currency}, not in {given}"
        yield Problem("unknown_currency", "currency", message)


def _number(values: Mapping[str, Any], field: str) -> int | None:
    value = values.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
