"""Open a session for each reservation whose window has come."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from gpuaas.inventory.models import Cluster
from reconciler.provision import Done, Outcome
from reconciler.world import World
from reservations import selectors
from sessions import services

if TYPE_CHECKING:
    from reservations.models import Reservation


def due(cluster: Cluster, now: datetime) -> Iterable["Reservation"]:
    """Return the approved reservations whose window is open."""
    return selectors.due_to_start(cluster, now=now)


def act(reservation: "Reservation", world: World, now: datetime) -> Outcome:
    """Activate the reservation; the start phase after this one brings its session up."""
    session = services.open_session(reservation=reservation, now=now)
    world.changes.append(f"open session {session}")
    return Done()
