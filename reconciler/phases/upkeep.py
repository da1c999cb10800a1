"""Put in order what time itself decided: bookings whose whole window passed without a start."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from gpuaas.inventory.models import Cluster
from reconciler.provision import Done, Outcome
from reconciler.world import World
from reservations import selectors, services

if TYPE_CHECKING:
    from reservations.models import Reservation


def due(cluster: Cluster, now: datetime) -> Iterable["Reservation"]:
    """Return the reservations that were missed."""
    return selectors.missed(cluster, now=now)


def act(reservation: "Reservation", world: World, now: datetime) -> Outcome:
    """Fail the reservation: its people learn that it was the platform, not they."""
    services.fail_missed(reservation=reservation, now=now)
    world.changes.append(f"fail missed reservation {reservation}")
    return Done()
