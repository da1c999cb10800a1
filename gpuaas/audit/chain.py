"""The hash chain over the audit trail: what a digest is made of, and where a chain breaks.  Pure.

The database has the same in SQL, to write links; this is the second opinion, to check them.
"""

import enum
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain goes, and its digest there: kept elsewhere, it proves all before it."""

    position: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.position}:{self.digest.hex()}"


START: Final = Head(0, b"")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event as it stands in the database; ``data`` is the text of its ``jsonb``."""

    number: int
    at: datetime
    action: str
    subject: str
    actor: int | None
    team: int | None
    data: str


@dataclass(frozen=True, slots=True)
class Link:
    """One link, and the event that it is of; None: there is no such event."""

    position: int
    digest: bytes
    event_number: int
    event: Recorded | None


class Fault(enum.StrEnum):
    """What is wrong with a chain."""

    CHANGED = "changed"
    EVENT_REMOVED = "event_removed"
    LINKS_REMOVED = "links_removed"
    NOT_LINKED = "not_linked"
    CUT_OFF = "cut_off"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that is wrong: at which position (None: no link shows it), and in words."""

    fault: Fault
    position: int | None
    says: str


def digest_of(event: Recorded, *, after: bytes) -> bytes:
    """Return the digest of the link of ``event`` that follows the one with digest ``after``."""
    moment = event.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    fields = (
        str(event.number),
        f"{moment}Z",
        event.action,
        event.subject,
        None if event.actor is None else str(event.actor),
        None if event.team is None else str(event.team),
        event.data,
    )
    return hashlib.sha256(after + b"".join(_field(each) for each in fields)).digest()


def follow(
    links: Iterable[Link], *, after: Head, kept: Mapping[int, bytes]
) -> tuple[Head, Finding | None]:
    """Return how far the chain holds from ``after`` on, and the first fault beyond, if any.

    ``links`` are in the order of their positions.  ``kept`` are digests by position that were
    written down elsewhere.
    """
    head = after
    finding = _against(kept, head)
    for link in links:
        finding = finding or _fault_of(link, head)
        if finding is not None:
            return head, finding
        head = Head(link.position, link.digest)
        finding = _against(kept, head)
    beyond = min((each for each in kept if each > head.position), default=None)
    if finding is None and beyond is not None:
        finding = Finding(
            Fault.CUT_OFF,
            head.position + 1,
            f"the chain ends at {head.position}, and it has been at {beyond}: its end is cut off",
        )
    return head, finding


def _fault_of(link: Link, head: Head) -> Finding | None:
    expected = head.position + 1
    if link.position != expected:
        return Finding(
            Fault.LINKS_REMOVED,
            expected,
            f"links are missing: after {head.position} comes {link.position}",
        )
    if link.event is None:
        return Finding(
            Fault.EVENT_REMOVED, expected, f"event {link.event_number} is gone, its link is there"
        )
    if digest_of(link.event, after=head.digest) != link.digest:
        return Finding(
            Fault.CHANGED,
            expected,
            f"event {link.event_number} was changed, or it or one before it was put in its place",
        )
    return None


def _against(kept: Mapping[int, bytes], head: Head) -> Finding | None:
    if kept.get(head.position, head.digest) == head.digest:
        return None
    return Finding(
        Fault.REWRITTEN,
        head.position,
        "the chain holds, but it is not the one of which this digest was kept",
    )


def _field(text: str | None) -> bytes:
    if text is None:
        return b"-,"
    encoded = text.encode()
    return b"%d:%b," % (len(encoded), encoded)
