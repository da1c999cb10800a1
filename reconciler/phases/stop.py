"""Stop what should not run any more: delete its namespace, and see that it is gone."""

from collections.abc import Iterable
from datetime import datetime

from gpuaas.inventory.models import Cluster
from reconciler import naming
from reconciler.cluster import is_terminating, ref_to
from reconciler.provision import Done, Outcome, Waiting
from reconciler.world import World
from sessions import selectors, services
from sessions.models import WorkspaceSession


def due(cluster: Cluster, now: datetime) -> Iterable[WorkspaceSession]:
    """Return the sessions that are over and were not yet seen to be gone."""
    return selectors.due_to_stop(cluster, now=now).not_put_off(now)


def act(session: WorkspaceSession, world: World, now: datetime) -> Outcome:
    """Delete the namespace by its UID, then wait until it is gone, then close the session.

    The picture is complete, so a namespace that is not in it does not exist, or is none of ours.
    """
    services.begin_stop(session=session, now=now)
    found = world.picture.namespace(session.namespace)
    if found is None or found["metadata"]["labels"].get(naming.SESSION_LABEL) != str(
        session.public_id
    ):
        services.close(session=session, now=now)
        return Done()
    if not is_terminating(found):
        world.delete(ref_to(found), uid=found["metadata"]["uid"])
    reason = "the namespace and all in it is being removed"
    services.record_waiting(session=session, reason=reason, now=now)
    return Waiting(reason)
