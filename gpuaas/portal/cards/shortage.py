"""Why there is no room, and when there is.  Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from gpuaas.portal import wording
from reservations.capacity import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reservations.services import PoolFull, chances


@dataclass(frozen=True, slots=True)
class Chip:
    """Something that can be booked instead; ``refill`` fills it into the form.

    ``what`` is empty where only the window is another.
    """

    window: Window
    what: str
    refill: str


@dataclass(frozen=True, slots=True)
class Shortage:
    """What is short, one line each; when else there is room, and what else does the same work."""

    headline: str
    lines: tuple[str, ...]
    windows: tuple[Chip, ...]
    others: tuple[Chip, ...]


def shortage_of(
    full: "PoolFull",
    *,
    windows: "Iterable[chances.Chance]" = (),
    others: "Iterable[chances.Chance]" = (),
) -> Shortage:
    """Return how the form explains a full pool, and what can be had instead."""
    return Shortage(
        headline=gettext("There is no room for this in that window."),
        lines=_lines(full),
        windows=tuple(chip_of(each, what="") for each in windows),
        others=tuple(chip_of(each, what=_what(each)) for each in others),
    )


def _what(chance: "chances.Chance") -> str:
    said = f"{wording.amount(chance.wish.units, chance.wish.resource_name)}, {chance.pool}"
    return (
        gettext("{said}, less than you asked for").format(said=said) if chance.is_smaller else said
    )


def chip_of(chance: "chances.Chance", *, what: str) -> Chip:
    """Return what fills ``chance`` into the form."""
    window = in_whole_minutes(chance.wish.window)
    kind = f"{chance.pool.slug}/{chance.wish.resource_name}"
    refill = f"{_iso(window.starts_at)}|{_iso(window.ends_at)}|{kind}|{chance.wish.units}"
    return Chip(window, what, refill)


def _lines(full: "PoolFull") -> tuple[str, ...]:
    wanted, free, name = full.wish.demand, full.free, wording.resource(full.wish.resource_name)
    said = (
        (name, wanted.devices, free.devices, str),
        ("CPU", wanted.cpu_millicores, free.cpu_millicores, wording.cores),
        (gettext("Memory"), wanted.memory_mib, free.memory_mib, wording.memory),
        (gettext("Storage"), wanted.storage_gib, free.storage_gib, wording.storage),
    )
    lines = [
        gettext("{what}: you asked for {say}, {say_2} free throughout on one server").format(
            what=what, say=say(much), say_2=say(left)
        )
        for what, much, left, say in said
        if much > left
    ]
    return tuple(lines) or (gettext("No server has all of it free at the same time"),)


def in_whole_minutes(window: Window) -> Window:
    """Return ``window`` as it can be typed."""
    # Inputs have no seconds: start with the next whole minute, for the same time.
    starts_at = window.starts_at.replace(second=0, microsecond=0)
    if starts_at < window.starts_at:
        starts_at += timedelta(minutes=1)
    return Window(starts_at, starts_at + window.length)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
