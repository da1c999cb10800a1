"""What a message says: plain words, moments in UTC.  Pure; whoever shows it has to escape it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gpuaas.core import words

LONGEST_TITLE: Final = 120
_ALL: Final = 100  # percent


@dataclass(frozen=True, slots=True)
class Text:
    """A title of one line, a body of one or two sentences, and the page with more."""

    title: str
    body: str
    path: str


def text_of(*, event: str, subject: str, team: str, data: Mapping[str, Any]) -> Text:
    """Return what to say of a message.

    ``data`` may have been written long ago, by another version: what it lacks is left out.
    """
    say = _SAYINGS.get(event)
    facts = _Facts(team=team, data=data)
    title, body = say(facts) if say else (event, "")
    return Text(title=_one_line(title), body=" ".join(body.split()), path=path_of(subject))


def path_of(subject: str) -> str:
    """Return the portal's page about ``subject``."""
    kind, _, name = subject.partition(":")
    folder = {"reservation": "reservations", "team": "teams"}.get(kind)
    return f"/{folder}/{name}/" if folder else "/"


@dataclass(frozen=True, slots=True)
class _Facts:
    team: str
    data: Mapping[str, Any]

    @property
    def what(self) -> str:
        """How people call the booking: ``2 x MIG slice 1g.24gb (retraining)``."""
        units, name = self.data.get("units"), self.data.get("resource_name")
        what = words.amount(units, name) if units and name else "Your booking"
        purpose = " ".join(str(self.data.get("purpose") or "").split())
        return f"{what} ({purpose})" if purpose else what

    @property
    def booker(self) -> str:
        """Who booked it, where it was not the person it is for."""
        name = self.data.get("booked_by")
        return f" {name} booked it for you." if name else ""

    @property
    def reason(self) -> str:
        """Why, as a sentence of its own."""
        reason = str(self.data.get("reason") or "").strip().rstrip(".")
        return f"{reason[:1].upper()}{reason[1:]}." if reason else ""

    def at(self, field: str) -> str:
        value = self.data.get(field)
        return words.instant(datetime.fromisoformat(value)) if value else "a time not known"

    def plain(self, field: str, otherwise: str = "") -> str:
        return str(self.data.get(field) or otherwise)


def _approved(facts: _Facts) -> tuple[str, str]:
    return (
        f"Booked: {facts.what}",
        f"It is yours from {facts.at('starts_at')} to {facts.at('ends_at')}, for {facts.team}."
        f"{facts.booker}",
    )


def _pending(facts: _Facts) -> tuple[str, str]:
    return (
        f"To approve: {facts.what}",
        f"{facts.team} asks for it from {facts.at('starts_at')} to {facts.at('ends_at')}. It is"
        f" held until {facts.at('held_until')}; without your approval it lapses then.",
    )


def _rejected(facts: _Facts) -> tuple[str, str]:
    return (
        f"Not approved: {facts.what}",
        f"{facts.reason} It would have been from {facts.at('starts_at')} to {facts.at('ends_at')}.",
    )


def _held(facts: _Facts) -> tuple[str, str]:
    return (
        f"Your turn: {facts.what}",
        f"From {facts.at('starts_at')} to {facts.at('ends_at')} it is free, and held for you until"
        f" {facts.at('held_until')}. Take it, or pass it on; then the next in line gets it.",
    )


def _hold_lapsed(facts: _Facts) -> tuple[str, str]:
    return (
        f"No longer in line: {facts.what}",
        f"{facts.reason} It would have been from {facts.at('starts_at')} to {facts.at('ends_at')}.",
    )


def _no_show(facts: _Facts) -> tuple[str, str]:
    return (
        f"Given back: {facts.what}",
        f"{facts.reason} The cost of the rest comes back too. Open the workspace soon after it is"
        " ready, and cancel what you do not need.",
    )


def _idle(facts: _Facts) -> tuple[str, str]:
    return (
        f"Idle: {facts.what}",
        f"No GPU, kernel or terminal has worked in it since {facts.at('idle_since')}."
        f"{_what_follows(facts)} It is yours until {facts.at('ends_at')}; if you are done, give it"
        " back and others can have the time.",
    )


def _what_follows(facts: _Facts) -> str:
    """Say what happens if it stays so, where its pool says that something does."""
    then = [
        f" {what} after {facts.at(field)}."
        for field, what in (
            ("pauses_at", "If it stays so, its workspace is stopped"),
            ("released_at", "If it stays so, it is given back"),
        )
        if facts.plain(field)
    ]
    return "".join(then)


def _paused(facts: _Facts) -> tuple[str, str]:
    return (
        f"Paused: {facts.what}",
        f"Nothing has worked in it since {facts.at('idle_since')}, so its workspace was stopped."
        " Its files and its GPUs stay yours; resume it on the booking's page.",
    )


def _idle_released(facts: _Facts) -> tuple[str, str]:
    return (
        f"Given back: {facts.what}",
        f"{facts.reason} The cost of the rest comes back too.",
    )


def _extended(facts: _Facts) -> tuple[str, str]:
    return f"Extended: {facts.what}", f"It is yours until {facts.at('ends_at')} now."


def _changed(facts: _Facts) -> tuple[str, str]:
    return (
        f"Changed: {facts.what}",
        f"It is yours from {facts.at('starts_at')} until {facts.at('ends_at')} now.",
    )


def _starting(facts: _Facts) -> tuple[str, str]:
    return (
        f"{facts.what} starts in {_minutes(facts)}",
        f"Your workspace is prepared at {facts.at('starts_at')}. If you do not need it any more,"
        " cancel it and others can have the time.",
    )


def _ready(facts: _Facts) -> tuple[str, str]:
    return (
        f"Ready: {facts.what}",
        f"Your workspace can be opened. It ends at {facts.at('ends_at')}.",
    )


def _ending(facts: _Facts) -> tuple[str, str]:
    return (
        f"{facts.what} ends in {_minutes(facts)}",
        f"At {facts.at('ends_at')} the workspace goes, with everything in it. Save your work now.",
    )


def _completed(facts: _Facts) -> tuple[str, str]:
    return f"Over: {facts.what}", f"{facts.reason} The workspace and everything in it is removed."


def _canceled(facts: _Facts) -> tuple[str, str]:
    return (
        f"Canceled: {facts.what}",
        f"{facts.reason} It was booked from {facts.at('starts_at')} to {facts.at('ends_at')}.",
    )


def _failed(facts: _Facts) -> tuple[str, str]:
    return f"Failed: {facts.what}", f"{facts.reason} Its time is free again: you can book anew."


def _moved(facts: _Facts) -> tuple[str, str]:
    return (
        f"Moved to other hardware: {facts.what}",
        f"{facts.reason} Your booking from {facts.at('starts_at')} to {facts.at('ends_at')} stays"
        " as it was, on other devices of the same type.",
    )


def _flagged(facts: _Facts) -> tuple[str, str]:
    return (
        f"Needs you: {facts.what}",
        f"{facts.reason} Nothing else of its kind is free from {facts.at('starts_at')} to"
        f" {facts.at('ends_at')}. Its page has what you can take instead.",
    )


def _granted(facts: _Facts) -> tuple[str, str]:
    role = facts.plain("role", "member")
    until = f" until {facts.at('expires_at')}" if facts.data.get("expires_at") else ""
    return f"You are now {role} of {facts.team}", f"You have this role{until}."


def _membership_ending(facts: _Facts) -> tuple[str, str]:
    return (
        f"Your role in {facts.team} ends soon",
        f"From {facts.at('expires_at')} on you neither see nor book for the team. A manager can"
        " prolong it.",
    )


def _device_failed(facts: _Facts) -> tuple[str, str]:
    return (
        f"Failed: {facts.plain('device', 'a device')}",
        f"{facts.reason} Bookings on it are moved where they fit, and flagged where they do not.",
    )


def _node_frozen(facts: _Facts) -> tuple[str, str]:
    return (
        f"No session starts on {facts.plain('node', 'a node')}",
        f"{facts.reason} What runs there goes on; bookings whose window opens wait.",
    )


def _node_differs(facts: _Facts) -> tuple[str, str]:
    return (
        f"Other devices than booked with: {facts.plain('node', 'a node')}",
        f"{facts.reason} What can be booked is the smaller number of each: look at the node, and"
        " import what it has now.",
    )


def _layout_failed(facts: _Facts) -> tuple[str, str]:
    return (
        f"Not cut as planned: {facts.plain('layout', 'a GPU')}",
        f"{facts.reason} The GPU stays as it was. Bookings of the planned devices are moved where"
        " they fit, and flagged where they do not.",
    )


def _layout_late(facts: _Facts) -> tuple[str, str]:
    return (
        f"Not cut back yet: {facts.plain('node', 'a node')}",
        f"{facts.reason} Nothing starts there until its GPUs are cut as before: look at the node.",
    )


def _budget(facts: _Facts) -> tuple[str, str]:
    month = facts.plain("month", "this month")
    percent = facts.data.get("percent")
    part = f"{percent} %" if percent else "A part"
    amounts = f"{facts.plain('spent')} of {facts.plain('budget')}" if percent else "That much"
    centre = facts.plain("cost_centre")
    whose = f"cost centre {centre}" if centre else facts.team
    refuses = percent == _ALL and (not centre or bool(facts.data.get("blocks")))
    end = " What costs more is refused until the month is over." if refuses else ""
    return (
        f"{part} of the budget of {whose} for {month} is spoken for",
        f"{amounts} is booked or used.{end}",
    )


_SAYINGS: Final[Mapping[str, Callable[[_Facts], tuple[str, str]]]] = {
    "reservation.approved": _approved,
    "reservation.pending": _pending,
    "reservation.rejected": _rejected,
    "reservation.held": _held,
    "reservation.hold_lapsed": _hold_lapsed,
    "reservation.starting": _starting,
    "session.ready": _ready,
    "reservation.ending": _ending,
    "reservation.extended": _extended,
    "reservation.no_show": _no_show,
    "reservation.idle": _idle,
    "reservation.paused": _paused,
    "reservation.idle_released": _idle_released,
    "reservation.changed": _changed,
    "reservation.completed": _completed,
    "reservation.canceled": _canceled,
    "reservation.failed": _failed,
    "reservation.moved": _moved,
    "reservation.flagged": _flagged,
    "budget.threshold": _budget,
    "membership.granted": _granted,
    "membership.ending": _membership_ending,
    "device.failed": _device_failed,
    "node.frozen": _node_frozen,
    "node.differs": _node_differs,
    "layout.failed": _layout_failed,
    "layout.late": _layout_late,
}


def _minutes(facts: _Facts) -> str:
    minutes = facts.data.get("minutes_left")
    if not isinstance(minutes, int):
        return "a few minutes"
    return f"{minutes} {'minute' if minutes == 1 else 'minutes'}"


def _one_line(title: str) -> str:
    line = " ".join(title.split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"
