"""How well the platform does: figures for those who run it, of all clusters at once."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count

from gpuaas.inventory import selectors as inventory
from reservations import lifecycle
from reservations import selectors as reservations
from sessions.models import ClusterWatch, PassRecord, SessionState, WorkspaceSession

LATELY: Final = timedelta(hours=1)
FAILURES_WITHIN: Final = timedelta(hours=24)
_STALLED_AFTER_TICKS: Final = 3
_STALLED_AFTER_AT_LEAST: Final = timedelta(seconds=90)
QUANTILES: Final = (0.5, 0.9, 0.99)
# Most telling first; what people read says more.
_REASONS: Final = (
    ("image", re.compile(r"\bimage\b")),
    ("quota", re.compile(r"\bquota\b")),
    ("no_room", re.compile(r"\bno node\b|\bno room\b|Insufficient")),
    ("missed", re.compile(r"could not start it before its window ended")),
    ("refused", re.compile(r"forbidden|denied|refuse|invalid", re.IGNORECASE)),
    ("too_slow", re.compile(r"not ready after")),
)


def reason_of(text: str) -> str:
    """Return the kind of failure that ``text`` tells of: one of a handful of words."""
    return next((name for name, pattern in _REASONS if pattern.search(text)), "other")


def failures_by_reason(*, now: datetime) -> Counter[str]:
    """Return how many reservations failed within `FAILURES_WITHIN`, by kind of failure."""
    found = Counter({name: 0 for name, _ in _REASONS} | {"other": 0})
    found.update(
        reason_of(text) for text in reservations.reasons_of_failures(since=now - FAILURES_WITHIN)
    )
    return found


def passes() -> list[PassRecord]:
    """Return what the passes over each cluster came to."""
    return list(PassRecord.objects.select_related("cluster").order_by("cluster__name"))


def sessions_by_state() -> dict[tuple[str, str], int]:
    """Return how many sessions that have not ended each cluster has, by state."""
    found = {
        (cluster.name, state.value): 0
        for cluster in inventory.enabled_clusters()
        for state in SessionState
        if state != SessionState.ENDED
    }
    rows = (
        WorkspaceSession.objects.not_ended()
        .values_list("reservation__pool__cluster__name", "state")
        .annotate(Count("pk"))
        .order_by()
    )
    return found | {(cluster, state): count for cluster, state, count in rows}


def start_lags_seconds(*, now: datetime) -> list[float]:
    """Return how long after its window opened each workspace was ready, of `LATELY`; sorted.

    Sessions that are not ready yet count with the time they have waited so far.
    """
    seen = WorkspaceSession.objects.filter(
        reservation__starts_at__gt=now - LATELY, reservation__starts_at__lte=now
    ).exclude(ready_at=None, state__in=[SessionState.STOPPING.value, SessionState.ENDED.value])
    rows = seen.values_list("reservation__starts_at", "ready_at")
    return sorted(((ready_at or now) - starts_at).total_seconds() for starts_at, ready_at in rows)


def quantile(of: Sequence[float], share: float) -> float:
    """Return the smallest of the sorted ``of`` that at least ``share`` of them do not exceed."""
    return of[max(0, math.ceil(share * len(of)) - 1)]


def stalled_after() -> timedelta:
    """Return after how long without a look the reconciler counts as stalled."""
    ticks = _STALLED_AFTER_TICKS * timedelta(seconds=settings.RECONCILE_INTERVAL_SECONDS)
    return max(_STALLED_AFTER_AT_LEAST, ticks)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """When the reconciler last looked at a cluster; None: never, since it is known."""

    cluster: str
    looked_at: datetime | None
    known_since: datetime

    def is_stalled(self, *, now: datetime, after: timedelta) -> bool:
        """Return whether nobody has looked for longer than ``after``."""
        return now - (self.looked_at or self.known_since) > after

    def is_starting(self, *, now: datetime, after: timedelta) -> bool:
        """Return whether the first look is still to come, and not late yet."""
        return self.looked_at is None and not self.is_stalled(now=now, after=after)


def heartbeats() -> list[Heartbeat]:
    """Return the reconciler's heartbeat on each enabled cluster."""
    looked = dict(ClusterWatch.objects.values_list("cluster_id", "until"))
    return [
        Heartbeat(cluster.name, looked.get(cluster.pk), cluster.known_since)
        for cluster in inventory.enabled_clusters()
    ]


def live_reservations_by_state() -> dict[str, int]:
    """Return how many reservations are in each state that is not final."""
    counts = reservations.live_by_state()
    return {
        state.value: counts.get(state.value, 0)
        for state in lifecycle.State
        if state not in lifecycle.TERMINAL
    }
