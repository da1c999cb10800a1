"""What people ask for, and what it comes with."""

import uuid
from dataclasses import dataclass, field
from typing import Final

from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import resource_types
from gpuaas.inventory.models import Pool
from gpuaas.inventory.resource_types import PoolSize, ResourceType
from reservations import policy
from reservations.capacity import Demand, Window
from reservations.models import Reservation

DEFAULT_STORAGE_GIB: Final = 600


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to book.  CPU in thousandths of a core, memory in MiB, storage in GiB.

    ``public_id`` is the wish's own number, and its reservation's: the same wish sent twice is
    booked once.
    """

    resource_name: str
    units: int
    window: Window
    mode: AllocationMode
    cpu_millicores: int
    memory_mib: int
    storage_gib: int = DEFAULT_STORAGE_GIB
    purpose: str = ""
    public_id: uuid.UUID = field(default_factory=uuid.uuid4, compare=False)

    @property
    def demand(self) -> Demand:
        return Demand(self.units, self.cpu_millicores, self.memory_mib, self.storage_gib)


def wish_of(reservation: Reservation, *, window: Window | None = None) -> Wish:
    """Return what was asked for with ``reservation``, for another ``window`` if there is one."""
    return Wish(
        resource_name=reservation.resource_name,
        units=reservation.units,
        window=window or reservation.window,
        mode=AllocationMode(reservation.mode),
        cpu_millicores=reservation.cpu_millicores,
        memory_mib=reservation.memory_mib,
        storage_gib=reservation.storage_gib,
        purpose=reservation.purpose,
        public_id=reservation.public_id,
    )


def default_share(resource_type: ResourceType, *, size: PoolSize) -> Demand:
    """Return the CPU and memory that go with one unit unless the booker says otherwise.

    A share of the pool's smallest node, by the GPU memory of its largest, rounded down: the
    devices of every node can all be booked with their default.
    """
    gpu_memory = max(size.gpu_memory_mib, 1)
    cpu_cores = size.cpu_millicores * resource_type.memory_mib // gpu_memory // 1000
    memory_gib = size.memory_mib * resource_type.memory_mib // gpu_memory // 1024
    return Demand(1, max(1, cpu_cores) * 1000, max(1, memory_gib) * 1024, DEFAULT_STORAGE_GIB)


def usual_of(*, pool: Pool, resource_name: str) -> tuple[ResourceType, Demand] | None:
    """Return a type of ``pool`` with its `default_share`, in one query; None: it has no such."""
    found = resource_types.called(pool, resource_name)
    if found is None:
        return None
    resource_type, size = found
    return resource_type, default_share(resource_type, size=size)


def usual_demand(*, pool: Pool, resource_name: str, units: int) -> Demand:
    """Return what goes with ``units`` of a type unless the booker says otherwise.

    Storage is per booking.  What is refused anyway gets no second complaint from here: a type the
    pool has not comes with the least, more units than a node has with the share of a whole node.
    """
    usual = usual_of(pool=pool, resource_name=resource_name)
    if usual is None:
        return policy.LEAST
    found, one = usual
    shares = min(units, found.devices_per_node)
    return Demand(units, one.cpu_millicores * shares, one.memory_mib * shares, one.storage_gib)
