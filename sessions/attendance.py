"""Whether anybody uses a workspace.  Pure.

What was not watched is not known, and what is not known is never held against anybody: only an
unbroken stretch of looks counts, and time before it may have been full of work.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# Longer than the time between two looks, much shorter than an outage.
LONGEST_GAP: Final = timedelta(minutes=2)


class Verdict(enum.Enum):
    """What the evidence says."""

    NOTHING = enum.auto()
    NO_SHOW = enum.auto()
    IDLE = enum.auto()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one workspace.

    ``active_at`` is when it was last used: opened, or pods of its people seen.  ``unseen_at`` is
    when a look could not tell.  From ``watched_since`` to ``watched_until`` every look came soon
    after the one before.
    """

    ready_at: datetime
    active_at: datetime | None
    unseen_at: datetime | None
    watched_since: datetime
    watched_until: datetime

    @property
    def known_since(self) -> datetime:
        """Since when everything that was done in it would have been seen."""
        return max(self.ready_at, self.watched_since, self.unseen_at or self.ready_at)


def judge(
    evidence: Evidence, *, no_show: timedelta | None, idle: timedelta | None, now: datetime
) -> Verdict:
    """Return what becomes of a workspace; None means that its pool has no such rule."""
    if now - evidence.watched_until > LONGEST_GAP:
        return Verdict.NOTHING
    quiet = now - max(evidence.known_since, evidence.active_at or evidence.ready_at)
    if evidence.active_at is None and no_show is not None and quiet >= no_show:
        return Verdict.NO_SHOW
    if idle is not None and quiet >= idle:
        return Verdict.IDLE
    return Verdict.NOTHING
