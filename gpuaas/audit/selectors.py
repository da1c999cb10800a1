"""The history of one thing, and the chain.  What a person may see, `gpuaas.accounts` knows."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Max, QuerySet

from gpuaas.audit.chain import START, Fault, Finding, Head, Link, Recorded, follow
from gpuaas.audit.models import AuditEvent, AuditLink

BATCH: Final = 2_000  # links read at once: a few MiB, whatever the length of the chain

# One statement a batch: what it sees of links and events is of one moment.
_LINKS: Final = """
    SELECT link.position, link.digest, link.event_id, event.id, event.at, event.action,
           event.subject, event.actor_id, event.team_id, event.data::text
    FROM audit_auditlink AS link LEFT JOIN audit_auditevent AS event ON event.id = link.event_id
    WHERE link.position > %s ORDER BY link.position LIMIT %s
"""
_NOT_LINKED: Final = """
    SELECT event.id FROM audit_auditevent AS event
    LEFT JOIN audit_auditlink AS link ON link.event_id = event.id
    WHERE link.position IS NULL ORDER BY event.id LIMIT 1
"""


def history_of(subject: str) -> QuerySet[AuditEvent]:
    """Return the events of ``subject``, oldest first."""
    return AuditEvent.objects.filter(subject=subject).select_related("actor").order_by("pk")


def last_events_of(subjects: Iterable[str]) -> dict[str, datetime]:
    """Return when something happened last to each of ``subjects`` that has a history."""
    found = AuditEvent.objects.filter(subject__in=list(subjects)).order_by()
    return dict(found.values_list("subject").annotate(last_at=Max("at")))


def head() -> Head:
    """Return where the chain is; `chain.START` while it is empty."""
    last = AuditLink.objects.order_by("-position").first()
    return START if last is None else Head(last.position, bytes(last.digest))


def head_at(position: int) -> Head | None:
    """Return the chain as far as ``position``, as it is written down; None if it is not there."""
    link = AuditLink.objects.filter(position=position).first()
    if link is not None:
        return Head(link.position, bytes(link.digest))
    begins = beginning()
    return begins if position == begins.position else None


def beginning() -> Head:
    """Return after what the oldest link comes: `chain.START`, or as far as was forgotten.

    Where links are missing and nothing says so it is `chain.START`: following finds the gap.
    """
    first = AuditLink.objects.order_by("position").first()
    if first is None or first.position == START.position + 1:
        return START
    told = AuditEvent.objects.filter(
        action="audit.forgotten", data__through=first.position - 1
    ).first()
    return START if told is None else Head(first.position - 1, bytes.fromhex(told.data["digest"]))


def links_after(position: int) -> Iterator[Link]:
    """Return the links beyond ``position`` with their events, in order, a batch at a time."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_LINKS, [position, BATCH])
            rows = cursor.fetchall()
        if not rows:
            return
        for at, digest, number, *event in rows:
            found = None if event[0] is None else Recorded(*event)
            yield Link(position=at, digest=bytes(digest), event_number=number, event=found)
        position = rows[-1][0]


def first_not_linked() -> int | None:
    """Return the number of the oldest event that has no link, None if each has one."""
    with connection.cursor() as cursor:
        cursor.execute(_NOT_LINKED)
        row = cursor.fetchone()
    return row[0] if row else None


def verified(*, after: Head, kept: dict[int, bytes]) -> tuple[Head, Finding | None]:
    """Check the chain beyond ``after`` against the events, and against the digests ``kept``.

    Return how far it holds, and the first fault.
    """
    reached, finding = follow(links_after(after.position), after=after, kept=kept)
    number = first_not_linked() if finding is None else None
    if number is not None:
        finding = Finding(
            Fault.NOT_LINKED, None, f"event {number} is not in the chain: it was put in past it"
        )
    return reached, finding
