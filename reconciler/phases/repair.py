"""Keep what was handed over as it should be: what a tenant or an accident changed comes back."""

from collections.abc import Iterable
from datetime import datetime

from gpuaas.inventory.models import Cluster
from reconciler import provision
from reconciler.provision import Job, Outcome
from reconciler.world import World
from sessions import selectors
from sessions.models import SessionState, WorkspaceSession
from sessions.spec import SessionSpec


def due(cluster: Cluster, now: datetime) -> Iterable[tuple[WorkspaceSession, SessionSpec]]:
    """Return the sessions that are ready and should stay so."""
    running = selectors.meant_to_run(cluster, now=now).not_put_off(now)
    ready = list(running.filter(state=SessionState.READY.value))
    return zip(ready, selectors.specs_of(ready, cluster=cluster), strict=True)


def act(
    item: tuple[WorkspaceSession, SessionSpec], world: World, now: datetime
) -> Outcome | Job[Outcome]:
    """Make true again what is not."""
    session, spec = item
    return provision.converge(session, spec, world, now=now)
