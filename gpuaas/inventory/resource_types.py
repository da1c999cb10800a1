"""The bookable types of pools: what there is of each, and what is promised of it."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import Count, F, Max, Min, Q, Sum

from gpuaas.inventory import promise
from gpuaas.inventory.models import DeviceState, GpuBackend, Node, Pool
from gpuaas.inventory.promise import Promise

_TYPE_CALLED: Final = """
WITH bookable AS (
    SELECT device.* FROM inventory_device device
    JOIN inventory_node node ON node.id = device.node_id
    WHERE node.pool_id = %(pool)s AND node.is_schedulable AND device.state = %(in_service)s
)
SELECT max(product), min(memory), sum(present)::int, max(devices)::int, min(share),
    sum(devices - present)::int,
    (SELECT sum(memory_mib)::int FROM bookable WHERE layout_id IS NULL
        GROUP BY node_id ORDER BY 1 DESC LIMIT 1),
    (SELECT min(cpu_millicores) FROM inventory_node WHERE pool_id = %(pool)s AND is_schedulable),
    (SELECT min(memory_mib) FROM inventory_node WHERE pool_id = %(pool)s AND is_schedulable)
FROM (
    SELECT max(product) AS product, min(memory_mib) AS memory, min(compute_share) AS share,
        count(*) AS devices, count(*) FILTER (WHERE is_present) AS present
    FROM bookable WHERE resource_name = %(resource_name)s GROUP BY node_id
) per_node
HAVING count(*) > 0
"""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One bookable type within a pool.

    ``devices`` counts what is there now in the pool, and ``not_there_now`` what planned layouts
    make of it, or have taken away for a while.  ``devices_per_node`` counts both on the largest
    node: a booking lies on one node, so that is the most that one booking can have.  Memory and
    compute are the smallest device's.
    ``promise`` is what a unit is on whichever node, None where nobody asked.
    """

    resource_name: str
    product: str
    memory_mib: int
    devices: int
    devices_per_node: int
    compute_share: Decimal = Decimal(1)
    promise: Promise | None = None
    not_there_now: int = 0

    @property
    def is_whole_gpu(self) -> bool:
        return self.resource_name == "nvidia.com/gpu"

    @property
    def profile(self) -> str:
        """The MIG profile, for example ``1g.24gb``; empty for a whole GPU."""
        return "" if self.is_whole_gpu else self.resource_name.partition("/mig-")[2]


@dataclass(frozen=True, slots=True)
class PoolSize:
    """What shares of a pool's nodes are measured by.

    CPU and memory are those of the smallest node, GPU memory that of the largest.
    """

    cpu_millicores: int
    memory_mib: int
    gpu_memory_mib: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The devices of one type on one node that can be booked.

    ``reported`` is how many the cluster shows of them, None while nobody asked it.  ``later`` are
    not there right now, as their GPU is planned to be cut, so it shows none of those.
    """

    node: int
    resource_name: str
    devices: tuple[int, ...]
    reported: int | None
    later: int = 0

    @property
    def bookable(self) -> int:
        """How many of them count: where inventory and cluster differ, the smaller number."""
        there = len(self.devices)
        return there if self.reported is None else min(there, self.reported + self.later)


@dataclass(frozen=True, slots=True)
class Supply:
    """What of one pool can be booked: its types, the largest first, its size, its devices."""

    types: tuple[ResourceType, ...]
    size: PoolSize
    batches: tuple[Batch, ...]


def of(pool: Pool) -> list[ResourceType]:
    """Return the bookable types of ``pool``, the largest first."""
    return list(supply_of([pool])[pool.pk].types)


def pool_size(pool: Pool) -> PoolSize:
    """Return what shares of the pool's nodes are measured by; zeros where it has none."""
    return supply_of([pool])[pool.pk].size


def supply_of(pools: Collection[Pool]) -> dict[int, Supply]:
    """Return what can be booked in each of ``pools``, by primary key, in one query for all."""
    in_service = Q(devices__state=DeviceState.IN_SERVICE)
    rows: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in (
        Node.objects.filter(pool__in=pools, is_schedulable=True)
        .order_by("pk", "devices__resource_name")
        .values(
            "pool_id",
            "pk",
            "cpu_millicores",
            "reported_devices",
            "devices__resource_name",
            node_memory_mib=F("memory_mib"),
            is_shared=F("pool__is_shared"),
            backend=F("cluster__gpu_backend"),
        )
        .annotate(
            device_ids=ArrayAgg("devices__pk", filter=in_service, default=[]),
            memory_mib=Min("devices__memory_mib", filter=in_service),
            present=Count("devices__pk", filter=in_service & Q(devices__is_present=True)),
            gpu_memory_mib=Sum(
                "devices__memory_mib", filter=in_service & Q(devices__layout=None), default=0
            ),
            compute_share=Min("devices__compute_share", filter=in_service),
            product=Max("devices__product", filter=in_service),
            replicas=Min("devices__replicas", filter=in_service),
        )
    ):
        rows[row["pool_id"]].append(dict(row))
    return {pool.pk: _supply(rows[pool.pk]) for pool in pools}


def _supply(rows: list[dict[str, Any]]) -> Supply:
    bookable = [row for row in rows if row["device_ids"]]
    by_name: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    gpu_memory: defaultdict[int, int] = defaultdict(int)
    for row in bookable:
        by_name[row["devices__resource_name"]].append(row)
        gpu_memory[row["pk"]] += row["gpu_memory_mib"]
    types = [_type(name, alike) for name, alike in by_name.items()]
    return Supply(
        types=tuple(sorted(types, key=lambda each: (-each.memory_mib, each.resource_name))),
        size=PoolSize(
            cpu_millicores=min((row["cpu_millicores"] for row in rows), default=0),
            memory_mib=min((row["node_memory_mib"] for row in rows), default=0),
            gpu_memory_mib=max(gpu_memory.values(), default=0),
        ),
        batches=tuple(_batch(row) for row in bookable),
    )


def _type(name: str, alike: list[dict[str, Any]]) -> ResourceType:
    """Return the type of which ``alike`` has a row for each node."""
    counts = [len(row["device_ids"]) for row in alike]
    present = sum(row["present"] for row in alike)
    return ResourceType(
        resource_name=name,
        product=alike[-1]["product"],
        memory_mib=min(row["memory_mib"] for row in alike),
        devices=present,
        devices_per_node=max(counts),
        compute_share=min(row["compute_share"] for row in alike),
        promise=promise.weakest(
            [
                promise.of(
                    [row["replicas"]] * (row["present"] or len(row["device_ids"])),
                    is_shared=row["is_shared"],
                    is_claimed=row["backend"] == GpuBackend.DRA.value,
                )
                for row in alike
            ]
        ),
        not_there_now=sum(counts) - present,
    )


def _batch(row: dict[str, Any]) -> Batch:
    name, reported = row["devices__resource_name"], row["reported_devices"]
    shown = None if reported is None else int(reported.get(name, 0))
    devices = tuple(row["device_ids"])
    return Batch(row["pk"], name, devices, shown, later=len(devices) - row["present"])


def called(pool: Pool, resource_name: str) -> tuple[ResourceType, PoolSize] | None:
    """Return that one of `of`, and the pool's size, in one hand-written query."""
    asked: dict[str, Any] = {
        "pool": pool.pk,
        "resource_name": resource_name,
        "in_service": DeviceState.IN_SERVICE.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TYPE_CALLED, asked)
        row = cursor.fetchone()
    if row is None:
        return None
    product, memory_mib, devices, devices_per_node, share, later, gpu_memory, cpu, memory = row
    found = ResourceType(
        resource_name,
        product,
        memory_mib,
        devices,
        devices_per_node,
        share,
        not_there_now=later,
    )
    return found, PoolSize(cpu, memory, gpu_memory)
