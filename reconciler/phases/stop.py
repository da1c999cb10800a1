"""Stop what should not run any more: delete its namespace, and see that it is gone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gpuaas.inventory.models import Cluster
from reconciler import metering, naming
from reconciler.cluster import Manifest, Ref, is_terminating, ref_to
from reconciler.provision import Done, Job, Outcome, Waiting
from reconciler.world import World
from sessions import selectors, services
from sessions.models import WorkspaceSession
from tokenomics.services.meters import EngineLook


@dataclass(frozen=True, slots=True)
class Gone:
    """Whether the namespace is gone, and what its engines showed before it was asked to go."""

    is_gone: bool
    looks: list[EngineLook] | None = None


def due(cluster: Cluster, now: datetime) -> Iterable[WorkspaceSession]:
    """Return the sessions that are over and were not yet seen to be gone."""
    return selectors.due_to_stop(cluster, now=now)


def act(session: WorkspaceSession, world: World, now: datetime) -> Job[Gone]:
    """Delete the namespace by its UID, then wait until it is gone, then close the session.

    Its meters are read once more before: what they show goes with it.
    """
    services.begin_stop(session=session, now=now)
    return Job(
        work=lambda: _remove(session, world),
        record=lambda gone: _write_down(session, gone, now=now),
    )


def _remove(session: WorkspaceSession, world: World) -> Gone:
    """Ask for the deletion of the namespace, unless that was done; return how far it is.

    A namespace that is not in the picture may have lost its labels: ask for it by name before
    saying that it is gone.
    """
    found = world.picture.namespace(session.namespace) or world.kube.get(
        Ref("v1", "Namespace", session.namespace)
    )
    if found is None or not _is_of(session, found):
        return Gone(is_gone=True)
    looks = None
    if not is_terminating(found):
        if not world.dry_run:
            looks = metering.last_look(world.kube, session.namespace)
        world.delete(ref_to(found), uid=found["metadata"]["uid"])
    return Gone(is_gone=False, looks=looks)


def _write_down(session: WorkspaceSession, gone: Gone, *, now: datetime) -> Outcome:
    if gone.looks is not None:
        metering.book_last(session, gone.looks, now=now)
    if gone.is_gone:
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
