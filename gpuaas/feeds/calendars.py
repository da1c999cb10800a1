"""Bookings as an iCalendar document (RFC 5545).  Pure."""

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from icalendar import Calendar, Event

REFRESHED_EVERY: Final = timedelta(hours=1)
_PRODUCT: Final = "-//GPUaaS//Bookings//EN"


class Status(enum.StrEnum):
    """How firm an entry is."""

    TENTATIVE = "TENTATIVE"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking.  ``uid`` stays for ever; ``sequence`` grows with every change of it."""

    uid: str
    sequence: int
    changed_at: datetime
    starts_at: datetime
    ends_at: datetime
    status: Status
    summary: str
    description: str = ""
    url: str = ""


def document(name: str, entries: Iterable[Entry]) -> bytes:
    """Return the calendar ``name`` with ``entries``; the same ones make the same bytes.

    Instants are in UTC, so no time zone has to be described, and none can be wrong about summer.
    """
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", REFRESHED_EVERY, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", REFRESHED_EVERY)
    for entry in entries:
        calendar.add_component(_event(entry))
    return bytes(calendar.to_ical())


def etag_of(content: bytes) -> str:
    """Return the entity tag of a document."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _event(entry: Entry) -> Event:
    event = Event()
    event.add("uid", entry.uid)
    event.add("sequence", entry.sequence)
    event.add("dtstamp", entry.changed_at.astimezone(UTC))
    event.add("last-modified", entry.changed_at.astimezone(UTC))
    event.add("dtstart", entry.starts_at.astimezone(UTC))
    event.add("dtend", entry.ends_at.astimezone(UTC))
    event.add("status", entry.status.value)
    event.add("summary", entry.summary)
    event.add("transp", "TRANSPARENT")  # a machine is busy then, not the person
    if entry.description:
        event.add("description", entry.description)
    if entry.url:
        event.add("url", entry.url)
    return event
