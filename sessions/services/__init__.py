"""Everything that changes a session.  The reconciler calls; it never writes rows itself."""

from sessions.services.life import (
    MAX_FAILURES,
    ClusterNotOffered,
    NotYourWorkspace,
    StaleSession,
    WorkspaceNotReady,
    attend,
    begin_stop,
    close,
    give_up,
    kubeconfig_for,
    open_session,
    record_failure,
    record_look,
    record_namespace,
    record_ready,
    record_use,
    record_visit,
    record_waiting,
)
from sessions.services.passes import BUCKETS_SECONDS, record_pass
from sessions.services.story import record_warnings

__all__ = [
    "BUCKETS_SECONDS",
    "MAX_FAILURES",
    "ClusterNotOffered",
    "NotYourWorkspace",
    "StaleSession",
    "WorkspaceNotReady",
    "attend",
    "begin_stop",
    "close",
    "give_up",
    "kubeconfig_for",
    "open_session",
    "record_failure",
    "record_look",
    "record_namespace",
    "record_pass",
    "record_ready",
    "record_use",
    "record_visit",
    "record_waiting",
    "record_warnings",
]
