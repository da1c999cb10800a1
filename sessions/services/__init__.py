"""Everything that changes a session.  The reconciler calls; it never writes rows itself."""

from sessions.services.doors import hang as hang_door
from sessions.services.doors import reseal as reseal_doors
from sessions.services.guests import NotATeamMate, NothingToShare, TooManyGuests, share, unshare
from sessions.services.kubeconfigs import (
    ClusterNotOffered,
    NotYourWorkspace,
    WorkspaceNotReady,
    kubeconfig_for,
)
from sessions.services.life import (
    MAX_FAILURES,
    StaleSession,
    begin_stop,
    close,
    give_up,
    open_session,
    record_failure,
    record_look,
    record_namespace,
    record_ready,
    record_waiting,
    warn_of_end,
)
from sessions.services.passes import BUCKETS_SECONDS, record_pass
from sessions.services.pod_templates import record_pod_templates
from sessions.services.quota import record_quota
from sessions.services.story import record_warnings
from sessions.services.tokens import (
    NoTokenToTake,
    TooLateForToken,
    ask_token,
    forget_tokens,
    record_no_token,
    record_token,
    seconds_of,
    take_token,
    token_for,
)
from sessions.services.using import attend, record_probe, record_use, record_visit, resume

__all__ = [
    "BUCKETS_SECONDS",
    "MAX_FAILURES",
    "ClusterNotOffered",
    "NoTokenToTake",
    "NotATeamMate",
    "NotYourWorkspace",
    "NothingToShare",
    "StaleSession",
    "TooLateForToken",
    "TooManyGuests",
    "WorkspaceNotReady",
    "ask_token",
    "attend",
    "begin_stop",
    "close",
    "forget_tokens",
    "give_up",
    "hang_door",
    "kubeconfig_for",
    "open_session",
    "record_failure",
    "record_look",
    "record_namespace",
    "record_no_token",
    "record_pass",
    "record_pod_templates",
    "record_probe",
    "record_quota",
    "record_ready",
    "record_token",
    "record_use",
    "record_visit",
    "record_waiting",
    "record_warnings",
    "reseal_doors",
    "resume",
    "seconds_of",
    "share",
    "take_token",
    "token_for",
    "unshare",
    "warn_of_end",
]
