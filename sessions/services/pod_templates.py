"""What a session's pods are started with."""

from collections.abc import Mapping
from typing import Any

from sessions.models import WorkspaceSession


def record_pod_templates(*, session: WorkspaceSession, pod_templates: Mapping[str, Any]) -> None:
    """Keep what its pods are to be started with, by Deployment; the same again costs nothing."""
    if session.pod_templates != pod_templates:
        WorkspaceSession.objects.filter(pk=session.pk).update(pod_templates=pod_templates)
        session.pod_templates = dict(pod_templates)
