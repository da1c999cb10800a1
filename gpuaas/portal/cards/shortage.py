"""Why there is no room, and when there is.  Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gpuaas.portal import wording
from reservations.capacity import Window

if TYPE_CHECKING:
    from reservations.services import PoolFull


@dataclass(frozen=True, slots=True)
class Shortage:
    """What is short, one line each, and the nearest window with room, if there is one."""

    headline: str
    lines: tuple[str, ...]
    nearest: Window | None
    refill: str


def shortage_of(full: "PoolFull") -> Shortage:
    """Return how the form explains a full pool."""
    nearest = _in_whole_minutes(full.nearest) if full.nearest else None
    return Shortage(
        headline="There is no room for this in that window.",
        lines=_lines(full),
        nearest=nearest,
        refill=f"{_iso(nearest.starts_at)}/{_iso(nearest.ends_at)}" if nearest else "",
    )


def _lines(full: "PoolFull") -> tuple[str, ...]:
    wanted, free, name = full.wish.demand, full.free, wording.resource(full.wish.resource_name)
    said = (
        (name, wanted.devices, free.devices, str),
        ("CPU", wanted.cpu_millicores, free.cpu_millicores, wording.cores),
        ("Memory", wanted.memory_mib, free.memory_mib, wording.memory),
        ("Storage", wanted.storage_gib, free.storage_gib, wording.storage),
    )
    lines = [
        f"{what}: you asked for {say(much)}, {say(left)} free throughout on one server"
        for what, much, left, say in said
        if much > left
    ]
    return tuple(lines) or ("No server has all of it free at the same time",)


def _in_whole_minutes(window: Window) -> Window:
    # Inputs have no seconds: start with the next whole minute, for the same time.
    starts_at = window.starts_at.replace(second=0, microsecond=0)
    if starts_at < window.starts_at:
        starts_at += timedelta(minutes=1)
    return Window(starts_at, starts_at + window.length)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
