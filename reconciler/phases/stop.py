"""Stop what should not run any more: delete its namespace, and see that it is gone."""

from collections.abc import Iterable
from datetime import datetime

from gpuaas.inventory.models import Cluster
from reconciler import naming
from reconciler.cluster import Manifest, Ref, is_terminating, ref_to
from reconciler.provision import Done, Job, Outcome, Waiting
from reconciler.world import World
from sessions import selectors, services
from sessions.models import WorkspaceSession


def due(cluster: Cluster, now: datetime) -> Iterable[WorkspaceSession]:
    """Return the sessions that are over and were not yet seen to be gone."""
    return selectors.due_to_stop(cluster, now=now)


def act(session: WorkspaceSession, world: World, now: datetime) -> Job[bool]:
    """Delete the namespace by its UID, then wait until it is gone, then close the session."""
    services.begin_stop(session=session, now=now)
    return Job(
        work=lambda: _remove(session, world),
        record=lambda is_gone: _write_down(session, is_gone=is_gone, now=now),
    )


def _remove(session: WorkspaceSession, world: World) -> bool:
    """Ask for the deletion of the namespace, unless that was done; return whether it is gone.

    A namespace that is not in the picture may have lost its labels: ask for it by name before
    saying that it is gone.
    """
    found = world.picture.namespace(session.namespace) or world.kube.get(
        Ref("v1", "Namespace", session.namespace)
    )
    if found is None or not _is_of(session, found):
        return True
    if not is_terminating(found):
        world.delete(ref_to(found), uid=found["metadata"]["uid"])
    return False


def _write_down(session: WorkspaceSession, *, is_gone: bool, now: datetime) -> Outcome:
    if is_gone:
        services.close(session=session, now=now)
        return Done()
    reason = "the namespace and all in it is being removed"
    services.record_waiting(session=session, reason=reason, now=now)
    return Waiting(reason)


def _is_of(session: WorkspaceSession, namespace: Manifest) -> bool:
    """Return whether it is the one we made: by our label, or by the UID we wrote down."""
    metadata = namespace["metadata"]
    labelled = metadata.get("labels", {}).get(naming.SESSION_LABEL)
    return bool(labelled == str(session.public_id) or metadata["uid"] == session.namespace_uid)
