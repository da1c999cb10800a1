"""What is written beside the moves of a session: its bookkeeping, and its story."""

from datetime import datetime, timedelta
from typing import Final

from sessions.models import SessionEvent, WorkspaceSession

# A moment that moves on with every look is written this often.
NOTED_EVERY: Final = timedelta(seconds=30)


def note(session: WorkspaceSession, **fields: object) -> None:
    """Write bookkeeping fields, but only when one differs: a quiet cycle writes nothing."""
    if any(getattr(session, field) != value for field, value in fields.items()):
        WorkspaceSession.objects.filter(pk=session.pk).update(**fields)
        for field, value in fields.items():
            setattr(session, field, value)


def note_at(session: WorkspaceSession, field: str, now: datetime) -> None:
    """Write a moment that moves on, but not at every look."""
    before = getattr(session, field)
    if before is None or now - before >= NOTED_EVERY:
        note(session, **{field: now})


def tell(
    session: WorkspaceSession, message: str, *, at: datetime, is_problem: bool = False
) -> None:
    """Add a line to its story."""
    SessionEvent.objects.create(
        session=session, at=at, message=message[:500], is_problem=is_problem
    )
