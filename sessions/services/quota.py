"""What is left of a session's quota, kept for its people."""

from collections.abc import Mapping
from datetime import datetime

from sessions.models import SessionQuota, WorkspaceSession


def record_quota(
    *,
    session: WorkspaceSession,
    hard: Mapping[str, str],
    used: Mapping[str, str],
    now: datetime,
) -> bool:
    """Keep what the cluster counts, where it differs from what is kept; return whether it did."""
    kept = getattr(session, "quota", None)
    if kept is not None and (kept.hard, kept.used) == (hard, used):
        return False
    SessionQuota.objects.update_or_create(
        session=session, defaults={"hard": dict(hard), "used": dict(used), "changed_at": now}
    )
    return True
