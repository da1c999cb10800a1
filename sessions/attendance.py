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

PROBED_EVERY_AT_LEAST: Final = timedelta(seconds=150)
"""Probes for work come each minute; a longer silence is not known to have been quiet."""


class Verdict(enum.Enum):
    """What the evidence says."""

    NOTHING = enum.auto()
    NO_SHOW = enum.auto()
    IDLE = enum.auto()
    PAUSE = enum.auto()
    RELEASE = enum.auto()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one workspace.

    ``active_at`` is when it was last used: opened, or pods of its people seen.  ``unseen_at`` is
    when a look could not tell.  From ``watched_since`` to ``watched_until`` every look came soon
    after the one before.

    From ``quiet_since`` to ``probed_at`` every probe came soon after the one before, and every
    one of them found no GPU at work, no kernel and no terminal; ``quiet_since`` is None when the
    last one found something, or could not tell.  ``told_at`` is when its person heard of it.
    """

    ready_at: datetime
    active_at: datetime | None
    unseen_at: datetime | None
    watched_since: datetime
    watched_until: datetime
    quiet_since: datetime | None = None
    probed_at: datetime | None = None
    told_at: datetime | None = None
    is_paused: bool = False

    @property
    def known_since(self) -> datetime:
        """Since when everything that was done in it would have been seen."""
        return max(self.ready_at, self.watched_since, self.unseen_at or self.ready_at)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a pool says of workspaces that nobody uses; None: nothing.

    ``idle`` warns; ``pause`` and ``release`` are counted from where ``idle`` is, and come no
    sooner after the warning than they are longer than it.
    """

    no_show: timedelta | None = None
    idle: timedelta | None = None
    pause: timedelta | None = None
    release: timedelta | None = None


def judge(evidence: Evidence, limits: Limits, *, now: datetime) -> Verdict:
    """Return what becomes of a workspace."""
    if now - evidence.watched_until > LONGEST_GAP:
        return Verdict.NOTHING
    nobody_came = evidence.active_at is None and limits.no_show is not None
    if nobody_came and now - evidence.known_since >= (limits.no_show or timedelta()):
        return Verdict.NO_SHOW
    return _at_rest(evidence, limits, now)


def _at_rest(evidence: Evidence, limits: Limits, now: datetime) -> Verdict:
    since = evidence.quiet_since
    if since is None or limits.idle is None or not _is_probed(evidence, now):
        return Verdict.NOTHING
    if now - since < limits.idle:
        return Verdict.NOTHING
    if evidence.told_at is None or evidence.told_at < since:
        return Verdict.IDLE
    warned_for = now - evidence.told_at
    if limits.release is not None and warned_for >= limits.release - limits.idle:
        return Verdict.RELEASE
    if limits.pause is None or evidence.is_paused or warned_for < limits.pause - limits.idle:
        return Verdict.NOTHING
    return Verdict.PAUSE


def _is_probed(evidence: Evidence, now: datetime) -> bool:
    return evidence.probed_at is not None and now - evidence.probed_at <= PROBED_EVERY_AT_LEAST
