"""Keep what is left of each session's quota: people read it in the portal, not in the cluster."""

from collections.abc import Iterable
from datetime import datetime

from gpuaas.inventory.models import Cluster
from reconciler import naming
from reconciler.cluster import Ref
from reconciler.provision import Done, Outcome
from reconciler.world import World
from sessions import selectors, services
from sessions.models import WorkspaceSession


def due(cluster: Cluster, now: datetime) -> Iterable[WorkspaceSession]:
    """Return the sessions that somebody works in."""
    return selectors.in_use(cluster, now=now).select_related("quota")


def act(session: WorkspaceSession, world: World, now: datetime) -> Outcome:
    """Copy the quota's status from the picture, which has it anyway."""
    seen = world.picture.get(Ref("v1", "ResourceQuota", naming.QUOTA, session.namespace))
    status = seen.get("status", {}) if seen else {}
    if "hard" in status and "used" in status:
        services.record_quota(session=session, hard=status["hard"], used=status["used"], now=now)
    return Done()
