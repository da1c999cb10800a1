"""What a session's pods are started with, decided once: an upgrade restarts nobody's work.

A Deployment whose template changes replaces its pod, and with it every process in a workspace.  So
a template is built anew only while nobody works from it; after that the session's row has it.
"""

from collections.abc import Mapping
from typing import Any, Final

from reconciler import naming
from reconciler.cluster import Ref
from reconciler.manifests import devices, workspace
from reconciler.observe import Picture
from sessions.models import SessionState, WorkspaceSession
from sessions.spec import SessionSpec

_BUILT_BY: Final = {
    naming.WORKSPACE: workspace.template,
    naming.DEVICE_HOLDER: devices.template,
}


def of(session: WorkspaceSession, spec: SessionSpec, picture: Picture) -> Mapping[str, Any]:
    """Return the template of each of the session's Deployments.

    One that is provisioned gets what is built now, and so does a paused workspace, which has no
    pod.  Whatever else was handed over keeps its own: what the row has or, of one that was handed
    over before rows had any, what the cluster shows.
    """
    names = [naming.WORKSPACE, *([naming.DEVICE_HOLDER] if spec.claimed_devices else [])]
    if session.state == SessionState.PROVISIONING.value:
        return {name: _BUILT_BY[name](spec) for name in names}
    return {
        name: (None if name == naming.WORKSPACE and spec.is_paused else _kept(name, spec, picture))
        or _BUILT_BY[name](spec)
        for name in names
    }


def _kept(name: str, spec: SessionSpec, picture: Picture) -> Any:
    if name in spec.pod_templates:
        return spec.pod_templates[name]
    seen = picture.get(Ref("apps/v1", "Deployment", name, spec.namespace))
    return seen["spec"]["template"] if seen else None
