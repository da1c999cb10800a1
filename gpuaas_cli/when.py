"""Reading times as people write them.  Pure: the moment and the zone come with the clock."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from gpuaas_cli.clock import Clock

STARTS: Final = "now, +2h, 18:00, tomorrow 9:00, fri 14:30, 2026-12-01 09:00, or ISO 8601"
LENGTHS: Final = "4h, 90m, 1h30m, 2d or 1.5h"
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORTEST_NAME: Final = 3
_UNITS: Final = {"m": 1, "h": 60, "d": 24 * 60}  # minutes
_LENGTH: Final = re.compile(r"(?:(\d{1,5}(?:\.\d{1,3})?)([dhm]))+")
_PART: Final = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)([dhm])")
_TIME: Final = re.compile(r"(?:(?P<day>[a-z]+)\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})")
_MINUTE: Final = timedelta(minutes=1)
_YEARS: Final = range(2000, 3000)
_DATE_ALONE: Final = len("2026-12-01")
_MOST_MINUTES: Final = 10 * 366 * 24 * 60


class Unreadable(ValueError):
    """Neither a time nor a length; the message says what would be one."""


def read_length(text: str) -> timedelta:
    """Return a length of time, whole minutes.

    Raises:
        Unreadable: it is none, or nothing.
    """
    compact = re.sub(r"\s+", "", text.lower())
    if not _LENGTH.fullmatch(compact):
        raise Unreadable(f"{text!r} is no length of time: write {LENGTHS}")
    minutes = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(compact))
    if not 1 <= minutes <= _MOST_MINUTES:
        raise Unreadable(f"{text!r} is less than a minute, or more than ten years")
    return timedelta(minutes=round(minutes))


def read_instant(text: str, clock: Clock) -> datetime:
    """Return the instant that ``text`` means at ``clock``, in UTC.

    A time of day alone is the next one; "now" is the next full minute, because only the future
    can be booked.

    Raises:
        Unreadable: it is no time.
        NoSuchTime: the clocks skip it, or show it twice.
    """
    plain = " ".join(text.lower().split())
    if plain == "now":
        return _full_minute(clock.now)
    if ahead := re.fullmatch(r"(?:\+|in )\s*(.+)", plain):
        return _full_minute(clock.now + read_length(ahead[1]))
    if found := _TIME.fullmatch(plain):
        return _at_time(text, found, clock)
    return _iso(text, clock)


def _at_time(text: str, found: "re.Match[str]", clock: Clock) -> datetime:
    try:
        at = time(int(found["hour"]), int(found["minute"]))
    except ValueError:
        raise Unreadable(f"{text!r} is no time of day: the last one is 23:59") from None
    today = clock.local(clock.now).date()
    if found["day"] is None:
        instant = clock.instant(datetime.combine(today, at))
        return instant if instant >= clock.now else _on(today, 1, at, clock)
    if found["day"] in {"today", "tomorrow"}:
        return _on(today, int(found["day"] == "tomorrow"), at, clock)
    named = [i for i, day in enumerate(_DAYS) if _is_short_for(found["day"], day)]
    if not named:
        raise Unreadable(f"{found['day']!r} is no day: write today, tomorrow, mon, tue, ...")
    instant = _on(today, (named[0] - today.weekday()) % 7, at, clock)
    return instant if instant >= clock.now else _on(clock.local(instant).date(), 7, at, clock)


def _is_short_for(word: str, day: str) -> bool:
    return len(word) >= _SHORTEST_NAME and day.startswith(word)


def _on(day: date, later: int, at: time, clock: Clock) -> datetime:
    return clock.instant(datetime.combine(day + timedelta(days=later), at))


def _iso(text: str, clock: Clock) -> datetime:
    plain = text.strip().upper()
    try:
        read = datetime.fromisoformat(plain)
    except ValueError:
        raise Unreadable(f"{text!r} is no time: write {STARTS}") from None
    if read.year not in _YEARS:
        raise Unreadable(f"{text!r} is not in our time")
    if len(plain) <= _DATE_ALONE:
        raise Unreadable(f"{text!r} has no time of day: write {text} 09:00")
    return clock.instant(read) if read.tzinfo is None else read.astimezone(UTC)


def _full_minute(instant: datetime) -> datetime:
    full = instant.replace(second=0, microsecond=0)
    return full if full == instant else full + _MINUTE
