"""Warn of an end before it comes: in the session's story, and to who booked it."""

from collections.abc import Iterable
from datetime import datetime

from gpuaas.inventory.models import Cluster
from reconciler.provision import Done, Outcome
from reconciler.world import World
from reservations.reminders import Reminder
from sessions import selectors, services
from sessions.models import WorkspaceSession


def due(cluster: Cluster, now: datetime) -> Iterable[tuple[WorkspaceSession, Reminder]]:
    """Return the sessions whose end is near, with how near it is."""
    return selectors.ending(cluster, now=now)


def act(item: tuple[WorkspaceSession, Reminder], world: World, now: datetime) -> Outcome:
    """Say it, once for each mark and each end: an extension begins anew."""
    session, reminder = item
    if services.warn_of_end(session=session, reminder=reminder, now=now):
        world.changes.append(f"warn {session} of its end")
    return Done()
