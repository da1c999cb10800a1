"""Everything that people are told of: who, and over which channels unless they say otherwise.

Pure.  What a message carries in ``data`` is in the table of docs/design/notifications.md.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final


class Channel(enum.StrEnum):
    """How somebody is reached.  PORTAL: the list behind the bell."""

    PORTAL = "portal"
    EMAIL = "email"
    WEBHOOK = "webhook"


class Audience(enum.Enum):
    """Who is told."""

    REQUESTER = enum.auto()
    MANAGERS = enum.auto()
    TEAM_WEBHOOK = enum.auto()
    PERSON = enum.auto()
    PLATFORM_ADMINS = enum.auto()
    APPROVERS = enum.auto()


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of thing to tell.

    ``tells_the_actor``: also whoever did it, which is left out otherwise.  ``deadline`` names the
    field of ``data`` from which on telling by mail or webhook would only confuse.
    """

    name: str
    title: str
    audience: frozenset[Audience]
    channels: frozenset[Channel] = frozenset(Channel)
    tells_the_actor: bool = False
    deadline: str = ""


_PORTAL_ONLY: Final = frozenset({Channel.PORTAL, Channel.WEBHOOK})
_REQUESTER: Final = frozenset({Audience.REQUESTER})
_TEAM: Final = frozenset({Audience.REQUESTER, Audience.TEAM_WEBHOOK})
_TEAM_AND_MANAGERS: Final = _TEAM | {Audience.MANAGERS}

EVENTS: Final[Mapping[str, Event]] = {
    event.name: event
    for event in (
        Event("reservation.approved", "A booking is approved", _TEAM, tells_the_actor=True),
        Event(
            "reservation.pending",
            "A booking waits for my approval",
            frozenset({Audience.APPROVERS}),
            deadline="held_until",
        ),
        Event("reservation.rejected", "It is not approved", _TEAM),
        Event(
            "reservation.held",
            "My turn has come: it is held for me",
            _REQUESTER,
            deadline="held_until",
        ),
        Event(
            "reservation.hold_lapsed",
            "My turn, or its start, has passed",
            _REQUESTER,
            deadline="starts_at",
        ),
        Event("reservation.starting", "It starts soon", _REQUESTER, deadline="starts_at"),
        Event("session.ready", "The workspace is ready", _REQUESTER),
        Event(
            "reservation.ending", "It ends in 60, 15 or 5 minutes", _REQUESTER, deadline="ends_at"
        ),
        Event("reservation.extended", "It ends later", _TEAM),
        Event("reservation.no_show", "It is given back because nobody came", _TEAM_AND_MANAGERS),
        Event("reservation.idle", "Nobody uses it", _REQUESTER, deadline="ends_at"),
        Event("reservation.paused", "Its workspace is stopped: nobody used it", _REQUESTER),
        Event(
            "reservation.idle_released",
            "It is given back because nobody used it any more",
            _TEAM_AND_MANAGERS,
        ),
        Event("reservation.changed", "It ends earlier, or gets another time or type", _TEAM),
        Event("reservation.completed", "It is over or given back", _TEAM, _PORTAL_ONLY),
        Event("reservation.canceled", "Somebody else cancels it", _TEAM),
        Event("reservation.failed", "It fails", _TEAM_AND_MANAGERS),
        Event("reservation.moved", "It is moved to other hardware", _TEAM),
        Event(
            "reservation.flagged",
            "Its hardware goes away, nothing else is free",
            _TEAM_AND_MANAGERS,
        ),
        Event(
            "budget.threshold",
            "50, 80 or 100 % of a month's budget is spoken for",
            frozenset({Audience.MANAGERS, Audience.TEAM_WEBHOOK}),
        ),
        Event("membership.granted", "I get a role in a team", frozenset({Audience.PERSON})),
        Event("membership.ending", "My role in a team ends soon", frozenset({Audience.PERSON})),
        Event("device.failed", "A device fails", frozenset({Audience.PLATFORM_ADMINS})),
        Event(
            "node.frozen",
            "A node's GPUs cannot be relied on",
            frozenset({Audience.PLATFORM_ADMINS}),
        ),
        Event(
            "node.differs",
            "A node shows other devices than the inventory has",
            frozenset({Audience.PLATFORM_ADMINS}),
        ),
        Event("layout.failed", "A planned layout fails", frozenset({Audience.PLATFORM_ADMINS})),
        Event(
            "layout.late",
            "A node is not cut back as planned",
            frozenset({Audience.PLATFORM_ADMINS}),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who is told: people by number, roles still to be looked up, and the team's webhook."""

    people: frozenset[int] = frozenset()
    managers: bool = False
    platform_admins: bool = False
    team_webhook: bool = False
    all_but: frozenset[int] = frozenset()


def recipients(event: Event, data: Mapping[str, Any]) -> Recipients:
    """Return who is told of ``event``.  Nobody is told of what they did themselves."""
    named = {Audience.REQUESTER: "requested_by", Audience.PERSON: "person"}
    people = {data.get(field) for who, field in named.items() if who in event.audience}
    actors = set() if event.tells_the_actor else {data.get("actor")}
    if Audience.APPROVERS in event.audience:
        actors.add(data.get("requested_by"))
    approver = data.get("approver") if Audience.APPROVERS in event.audience else None
    return Recipients(
        people=_numbers(people),
        managers=Audience.MANAGERS in event.audience or approver == "manager",
        platform_admins=Audience.PLATFORM_ADMINS in event.audience or approver == "platform_admin",
        team_webhook=Audience.TEAM_WEBHOOK in event.audience,
        all_but=_numbers(actors),
    )


def useless_from(event: Event, data: Mapping[str, Any]) -> datetime | None:
    """Return when it is too late to tell: the deadline has passed.  None: never."""
    deadline = data.get(event.deadline) if event.deadline else None
    return datetime.fromisoformat(deadline) if deadline else None


def _numbers(values: Iterable[object]) -> frozenset[int]:
    return frozenset(value for value in values if isinstance(value, int))
