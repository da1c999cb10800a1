"""What happened to a reservation, in words: who, when, what, from what to what.  Pure.

An event of the audit trail says what it changed as ``{"changes": {field: [before, after]}}``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gpuaas.core import words

NOTHING: Final = "nothing"
_MIB_PER_GIB: Final = 1024
_MILLICORES: Final = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that became another, for programs (``field``) and in words."""

    field: str
    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name} from {self.before} to {self.after}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: what happened, why if that was said, and what changed by it."""

    at: datetime
    action: str
    what: str
    reason: str
    changes: tuple[Change, ...]

    @property
    def is_problem(self) -> bool:
        return self.action in _PROBLEMS


def entry_of(*, at: datetime, action: str, data: Mapping[str, Any]) -> Entry:
    """Return what an event says.  ``data`` may be old: what it lacks is left out."""
    return Entry(
        at=at,
        action=action,
        what=_ACTIONS.get(action, action.partition(".")[2].replace("_", " ").capitalize()),
        reason=str(data.get("reason") or ""),
        changes=_changes(action, data),
    )


def _changes(action: str, data: Mapping[str, Any]) -> tuple[Change, ...]:
    changed = data.get("changes")
    pairs: dict[str, Any] = dict(changed) if isinstance(changed, Mapping) else {}
    if action == "reservation.extended" and "came_from" in data:
        pairs.setdefault("ends_at", [data["came_from"], data.get("ends_at")])
    return tuple(
        _change(field, *pair)
        for field, pair in pairs.items()
        if isinstance(pair, list | tuple) and len(pair) == 2  # noqa: PLR2004 -- before and after
    )


def _change(field: str, before: object, after: object) -> Change:
    name, say = _FIELDS.get(field, (field.replace("_", " "), str))
    return Change(field, name, _said(before, say), _said(after, say))


def _said(value: object, say: Callable[[Any], str]) -> str:
    if value is None or value == "":
        return NOTHING
    try:
        return say(value)
    except (TypeError, ValueError):
        return str(value)


def _instant(value: str) -> str:
    return words.instant(datetime.fromisoformat(value))


def _cores(millicores: int) -> str:
    return f"{millicores / _MILLICORES:g}"


def _memory(mebibytes: int) -> str:
    return f"{mebibytes / _MIB_PER_GIB:g} GiB"


def _storage(gibibytes: int) -> str:
    return f"{gibibytes:d} GiB"


_FIELDS: Final[Mapping[str, tuple[str, Callable[[Any], str]]]] = {
    "starts_at": ("start", _instant),
    "ends_at": ("end", _instant),
    "resource_name": ("type", words.resource),
    "units": ("units", str),
    "cpu_millicores": ("CPU cores", _cores),
    "memory_mib": ("memory", _memory),
    "storage_gib": ("storage", _storage),
    "cost_minor": ("cost in cents", str),
    "pool": ("pool", str),
    "purpose": ("purpose", str),
}

_PROBLEMS: Final = frozenset({"reservation.failed", "reservation.flagged"})
_ACTIONS: Final[Mapping[str, str]] = {
    "workspace.shared": "Workspace shared with a team mate",
    "workspace.unshared": "Workspace shared with a team mate no more",
    "workspace.token_asked": "A token for its namespace was asked for",
    "workspace.token_taken": "A token for its namespace was taken",
    "reservation.waitlisted": "In line",
    "reservation.pending": "Held until somebody approves it",
    "reservation.held": "Held for its person",
    "reservation.approved": "Booked",
    "reservation.active": "The window opened",
    "reservation.completed": "Completed",
    "reservation.canceled": "Canceled",
    "reservation.extended": "Extended",
    "reservation.shortened": "Shortened",
    "reservation.rescheduled": "Moved to another time",
    "reservation.changed": "Changed",
    "reservation.failed": "Failed",
    "reservation.moved": "Moved to other hardware of the same kind: nothing changes for you",
    "reservation.flagged": "In trouble",
    "reservation.unflagged": "Out of trouble",
    "reservation.devices_exchanged": "Moved to other devices of the same node, to make room",
}
