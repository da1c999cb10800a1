"""Bring up the sessions that are open and not handed over yet."""

from collections.abc import Iterable
from datetime import datetime

from gpuaas.inventory.models import Cluster
from reconciler import provision
from reconciler.provision import Job, Outcome, Waiting
from reconciler.world import World
from sessions import selectors, services
from sessions.models import SessionState, WorkspaceSession
from sessions.spec import SessionSpec


def due(cluster: Cluster, now: datetime) -> Iterable[tuple[WorkspaceSession, SessionSpec]]:
    """Return the sessions that are being provisioned."""
    running = selectors.meant_to_run(cluster, now=now).not_put_off(now)
    opening = list(running.filter(state=SessionState.PROVISIONING.value))
    return zip(opening, selectors.specs_of(opening, cluster=cluster), strict=True)


def act(
    item: tuple[WorkspaceSession, SessionSpec], world: World, now: datetime
) -> Outcome | Job[Outcome]:
    """Take the next steps towards a workspace that can be handed over."""
    session, spec = item
    if selectors.previous_is_leaving(session):
        # Its containers may run on for their grace period, on the very same device.
        reason = "the session before yours on this GPU is still being removed"
        services.record_waiting(session=session, reason=reason, now=now)
        return Waiting(reason)
    return provision.converge(session, spec, world, now=now)
