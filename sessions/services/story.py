"""What happens in a session's namespace besides what we do there, told to its people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from gpuaas.inventory.models import Cluster
from sessions.models import SessionEvent, WorkspaceSession

# A pod that fails in ever new words does not fill the table.
WARNINGS_AT_MOST: Final = 40


def record_warnings(
    *, cluster: Cluster, warnings: Mapping[str, Sequence[str]], now: datetime
) -> int:
    """Add what is new of ``warnings`` (namespace to lines) to the stories; return how many lines.

    A line is told once a session: clusters repeat their warnings as long as they keep them.
    """
    sessions = WorkspaceSession.objects.not_ended().filter(
        reservation__pool__cluster=cluster, namespace__in=warnings
    )
    namespaces = dict(sessions.values_list("pk", "namespace"))
    told: dict[int, set[str]] = {pk: set() for pk in namespaces}
    problems = SessionEvent.objects.filter(session__in=namespaces, is_problem=True)
    for pk, message in problems.values_list("session_id", "message"):
        told[pk].add(message)
    new = [
        SessionEvent(session_id=pk, at=now, message=line[:500], is_problem=True)
        for pk, namespace in namespaces.items()
        for line in warnings[namespace][: max(0, WARNINGS_AT_MOST - len(told[pk]))]
        if line[:500] not in told[pk]
    ]
    SessionEvent.objects.bulk_create(new)
    return len(new)
