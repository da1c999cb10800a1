"""The hardware as others need to see it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final, Protocol

from django.db import connection
from django.db.models import Count, Max, Prefetch, Q, QuerySet

from gpuaas.core.rows import Columns
from gpuaas.inventory import files, gpu_operator, layouts, mig, promise
from gpuaas.inventory.labels import DeviceFacts, NodeFacts
from gpuaas.inventory.models import (
    Closure,
    Cluster,
    Device,
    DeviceState,
    GpuBackend,
    Node,
    PlannedLayout,
    Pool,
)
from gpuaas.inventory.promise import Promise
from gpuaas.inventory.trust import Expected, Known

_POOL: Final = Columns(Pool, "pool")
_POOL_CALLED: Final = f"SELECT {_POOL.sql} FROM inventory_pool pool WHERE pool.slug = %s"  # noqa: S608 -- names of our own columns


class Period(Protocol):
    """A half-open period of time, however its owner calls it."""

    @property
    def starts_at(self) -> datetime: ...

    @property
    def ends_at(self) -> datetime: ...


def enabled_clusters() -> QuerySet[Cluster]:
    """Return the clusters the reconciler works on."""
    return Cluster.objects.filter(is_enabled=True)


def clusters() -> QuerySet[Cluster]:
    """Return every cluster with the number of its nodes (``node_count``)."""
    return Cluster.objects.annotate(node_count=Count("nodes"))


def has_hardware() -> bool:
    """Return whether there is a device, wherever it is."""
    return Device.objects.exists()


def has_pooled_nodes() -> bool:
    """Return whether some node is in a pool: others cannot be booked."""
    return Node.objects.exclude(pool=None).exists()


def nodes() -> QuerySet[Node]:
    """Return every node: which hardware there is, is no secret."""
    return Node.objects.select_related("cluster", "pool").order_by("cluster__name", "name", "pk")


def devices() -> QuerySet[Device]:
    """Return every device, in a stable order."""
    return Device.objects.select_related("node__cluster").order_by(
        "node__cluster__name", "node__name", "resource_name", "ordinal", "pk"
    )


@dataclass(frozen=True, slots=True)
class TypeCount:
    """How many devices of one type a node has, and how many of them are in service."""

    resource_name: str
    total: int
    in_service: int


def types_by_node(nodes: Collection[Node]) -> Mapping[int, list[TypeCount]]:
    """Return what is on each of ``nodes``, by primary key; what an import retired is left out."""
    found: defaultdict[int, list[TypeCount]] = defaultdict(list)
    for row in (
        Device.objects.filter(node__in=nodes, retired_by_import=False, is_present=True)
        .exclude(layout__isnull=False, state=DeviceState.RETIRED)
        .order_by("resource_name")
        .values("node_id", "resource_name")
        .annotate(total=Count("pk"), ok=Count("pk", filter=Q(state=DeviceState.IN_SERVICE)))
    ):
        counted = TypeCount(row["resource_name"], row["total"], row["ok"])
        found[row["node_id"]].append(counted)
    return found


def closures() -> QuerySet[Closure]:
    """Return every closure, the passed and the cancelled ones too."""
    return Closure.objects.select_related("pool", "node", "node__pool")


def coming_closures(*, now: datetime) -> QuerySet[Closure]:
    """Return what is closed at ``now`` or will be, the earliest first."""
    return closures().filter(canceled_at=None, ends_at__gt=now)


def resource_names() -> list[str]:
    """Return every type that there are, or were, devices of."""
    names = Device.objects.order_by("resource_name").values_list("resource_name", flat=True)
    return list(names.distinct())


def pools() -> QuerySet[Pool]:
    """Return every pool; who may book which is decided by policy, not by hiding."""
    return Pool.objects.select_related("cluster")


def pool_called(slug: str) -> Pool | None:
    """Return the pool that has ``slug``, by hand-written SQL: every booking asks for it."""
    with connection.cursor() as cursor:
        cursor.execute(_POOL_CALLED, [slug])
        row = cursor.fetchone()
    return row and _POOL.read(row)


def bookable_devices(pool: Pool) -> QuerySet[Device]:
    """Return the devices of ``pool`` that can be booked, in a stable order."""
    return Device.objects.filter(
        node__pool=pool, node__is_schedulable=True, state=DeviceState.IN_SERVICE
    ).select_related("node")


def compute_shares() -> dict[tuple[int, str], Fraction]:
    """Return which part of a physical GPU one unit is, by pool and type: the largest of them."""
    found = (
        Device.objects.filter(node__is_schedulable=True, state=DeviceState.IN_SERVICE)
        .exclude(node__pool=None)
        .order_by()
        .values_list("node__pool_id", "resource_name")
        .annotate(share=Max("compute_share"))
    )
    return {(pool, name): Fraction(share) for pool, name, share in found}


def as_file(cluster: Cluster) -> str:
    """Return the inventory of ``cluster`` as a YAML file that imports without a difference.

    States are not in it: they are an administrator's word, not a fact of the hardware.
    """
    nodes = Node.objects.filter(cluster=cluster).select_related("pool").prefetch_related("devices")
    return files.write(files.InventoryFile(cluster.name, tuple(_facts_of(node) for node in nodes)))


def operators_view(cluster: Cluster) -> gpu_operator.Rendering:
    """Return what the GPU Operator of ``cluster`` has to be told, as the inventory now is."""
    return gpu_operator.render(_devices_of(node) for node in _nodes_to_cut(cluster))


def expected_on(cluster: Cluster) -> dict[str, dict[str, Expected]]:
    """Return what each node should show of each type, by name, as the operator was told."""
    return {node.name: _expected_on(node) for node in _nodes_to_cut(cluster)}


def _nodes_to_cut(cluster: Cluster) -> QuerySet[Node]:
    found = Node.objects.filter(cluster=cluster).select_related("pool")
    wanted = PlannedLayout.objects.filter(state__in=sorted(layouts.WANTS_THE_PLANNED))
    return found.prefetch_related("devices", Prefetch("layouts", wanted, to_attr="wanted_layouts"))


def planned_layouts() -> QuerySet[PlannedLayout]:
    """Return every planned layout, the passed and the cancelled ones too."""
    return PlannedLayout.objects.select_related("node__pool", "node__cluster", "created_by")


def standing_layouts(cluster: Cluster) -> QuerySet[PlannedLayout]:
    """Return those of ``cluster`` that are not over, the earliest first."""
    return planned_layouts().filter(node__cluster=cluster, state__in=sorted(layouts.STANDING))


def being_cut(cluster: Cluster) -> dict[str, str]:
    """Return why nothing starts on the nodes that are being cut as planned, by their names."""
    changing = planned_layouts().filter(node__cluster=cluster, state__in=sorted(layouts.CHANGING))
    return {
        each.node.name: f"GPU {each.gpu_index} is being cut anew, as planned"
        if each.state != layouts.State.ROLLING_BACK
        else f"GPU {each.gpu_index} could not be cut as planned, and is being cut back"
        for each in changing
    }


def coming_layouts(*, now: datetime) -> QuerySet[PlannedLayout]:
    """Return those that stand or will, the earliest first, and what failed and would stand now."""
    failed = Q(state=layouts.State.FAILED.value, ends_at__gt=now)
    return planned_layouts().filter(Q(state__in=sorted(layouts.STANDING)) | failed)


def own_devices(node: Node) -> list[Device]:
    """Return what ``node`` has when no planned layout stands, in service or not."""
    there = Device.objects.filter(node=node, layout=None).exclude(state=DeviceState.RETIRED)
    return list(there.order_by("resource_name", "ordinal"))


def gpus_to_cut() -> list[tuple[Node, int, dict[str, int], list[dict[str, int]]]]:
    """Return every GPU that a layout can be planned for: node, index, cut, and what else it can be.

    What else are the cuts into alike devices; mixed ones can be planned all the same.
    """
    found: dict[tuple[int, int], list[Device]] = {}
    for device in (
        Device.objects.filter(layout=None, gpu_index__isnull=False, node__pool__isnull=False)
        .exclude(state=DeviceState.RETIRED)
        .exclude(node__cluster__gpu_operator_namespace="")
        .select_related("node__pool", "node__cluster")
        .order_by("node__name", "gpu_index", "resource_name", "ordinal")
    ):
        found.setdefault((device.node_id, device.gpu_index or 0), []).append(device)
    return [
        (
            devices[0].node,
            index,
            dict(Counter(each.resource_name for each in devices)),
            mig.cuts_of(devices[0].product),
        )
        for (_, index), devices in found.items()
    ]


def displaced_by(layout: PlannedLayout) -> QuerySet[Device]:
    """Return the devices that do not exist while ``layout`` stands."""
    return Device.objects.filter(
        node=layout.node_id, gpu_index=layout.gpu_index, layout=None
    ).exclude(state=DeviceState.RETIRED)


def known_on(cluster: Cluster) -> dict[int, dict[str, Known]]:
    """Return what there is of each type on each node as it is cut now, in one query."""
    found: defaultdict[int, dict[str, Known]] = defaultdict(dict)
    for row in (
        Device.objects.filter(node__cluster=cluster, is_present=True)
        .exclude(state=DeviceState.RETIRED)
        .order_by()
        .values("node_id", "resource_name")
        .annotate(
            total=Count("pk"),
            ok=Count("pk", filter=Q(state=DeviceState.IN_SERVICE)),
            product=Max("product"),
            memory_mib=Max("memory_mib"),
        )
    ):
        known = Known(row["ok"], row["total"], row["product"], row["memory_mib"])
        found[row["node_id"]][row["resource_name"]] = known
    return found


def in_service_on(node: Node) -> dict[str, int]:
    """Return how many devices of each type ``node`` has in service."""
    there = Device.objects.filter(node=node, state=DeviceState.IN_SERVICE, is_present=True)
    counted = there.order_by().values_list("resource_name").annotate(devices=Count("pk"))
    return dict(counted)


def _expected_on(node: Node) -> dict[str, Expected]:
    told = _devices_of(node)
    replicas = gpu_operator.replicas_of(told.devices, is_shared=told.is_shared)
    totals = Counter(device.resource_name for device in told.devices)
    working = Counter(
        d.resource_name for d in _wanted_on(node) if d.state == DeviceState.IN_SERVICE
    )
    return {
        name: Expected(working[name], total, replicas.get(name, 1))
        for name, total in totals.items()
    }


def _wanted_on(node: Node) -> list[Device]:
    """Return what the node is to have right now, as its planned layouts are; prefetched."""
    stand: list[PlannedLayout] = node.wanted_layouts  # type: ignore[attr-defined]
    planned, displaced = {each.pk for each in stand}, {each.gpu_index for each in stand}
    return [
        device
        for device in node.devices.all()
        if device.state != DeviceState.RETIRED
        and (
            device.layout_id in planned
            if device.layout_id is not None
            else device.gpu_index not in displaced
        )
    ]


def _devices_of(node: Node) -> gpu_operator.NodeDevices:
    """Return what there should be now, in service or not: a broken device is cut all the same."""
    there = _wanted_on(node)
    return gpu_operator.NodeDevices(
        node.name,
        tuple(facts_of_device(device) for device in there),
        is_shared=bool(node.pool and node.pool.is_shared),
    )


def _facts_of(node: Node) -> NodeFacts:
    return NodeFacts(
        name=node.name,
        cpu_millicores=node.cpu_millicores,
        memory_mib=node.memory_mib,
        storage_gib=node.storage_gib,
        is_schedulable=node.is_schedulable or node.is_withdrawn,
        pool=node.pool.slug if node.pool else None,
        devices=tuple(
            facts_of_device(device)
            for device in node.devices.all()
            if not device.retired_by_import and device.layout_id is None
        ),
    )


def facts_of_device(device: Device) -> DeviceFacts:
    """Return a device as the pure rules know it."""
    return DeviceFacts(
        resource_name=device.resource_name,
        ordinal=device.ordinal,
        product=device.product,
        memory_mib=device.memory_mib,
        replicas=device.replicas,
        compute_share=device.compute_share,
        gpu_index=device.gpu_index,
        uuid=device.uuid,
    )


def closures_of(pool: Pool, *, within: Period) -> QuerySet[Closure]:
    """Return what closes ``pool``, or one of its nodes, at some instant of ``within``."""
    return closures_in([pool.pk], within=within)


def closures_in(pools: Collection[int], *, within: Period) -> QuerySet[Closure]:
    """Return what closes one of ``pools`` (keys), or a node, at some instant of ``within``.

    A closure has a ``pool`` (all of it is closed) or a ``node``.  Cancelled ones do not count.
    """
    return (
        Closure.objects.standing()
        .overlapping(within.starts_at, within.ends_at)
        .filter(Q(pool__in=pools) | Q(node__pool__in=pools))
    )


@dataclass(frozen=True, slots=True)
class Missing:
    """One type on one node of which the cluster reports fewer devices than are in service."""

    node: str
    resource_name: str
    in_service: int
    reported: int


def missing_devices() -> list[Missing]:
    """Return where clusters report less than the inventory has; unasked nodes are left out."""
    in_service = (
        Device.objects.filter(
            state=DeviceState.IN_SERVICE,
            is_present=True,
            node__is_schedulable=True,
            node__reported_devices__isnull=False,
        )
        .order_by("node__name", "resource_name")
        .values("node__name", "node__reported_devices", "resource_name")
        .annotate(devices=Count("pk"))
    )
    return [
        Missing(row["node__name"], row["resource_name"], row["devices"], reported)
        for row in in_service
        if (reported := (row["node__reported_devices"] or {}).get(row["resource_name"], 0))
        < row["devices"]
    ]


@dataclass(frozen=True, slots=True)
class Mixed:
    """One type on one node of which the device plugin hands out replicas to whoever asks."""

    node: str
    resource_name: str
    devices: int
    replicas: int
    shared_because: str


def mixed_devices() -> list[Mixed]:
    """Return where containers of several teams can meet on one device.

    Not where the GPU Operator is told from here to hand each device out once, nor where sessions
    claim their devices.
    """
    several = (
        Device.objects.filter(state=DeviceState.IN_SERVICE, is_present=True, replicas__gt=1)
        .exclude(node__cluster__gpu_backend=GpuBackend.DRA.value)
        .exclude(~Q(node__cluster__gpu_operator_namespace=""), Q(node__pool__is_shared=False))
        .order_by("node__name", "resource_name")
        .values("node__name", "resource_name", "node__pool__shared_because")
        .annotate(devices=Count("pk"), most=Max("replicas"))
        .filter(devices__gt=1)
    )
    return [
        Mixed(
            row["node__name"],
            row["resource_name"],
            row["devices"],
            row["most"],
            row["node__pool__shared_because"] or "",
        )
        for row in several
    ]


def promises_of(devices: Iterable[Device]) -> dict[int, Promise]:
    """Return what a unit is on each of ``devices``, by primary key.

    ``devices`` are all that are in service there, read with their nodes, pools and clusters.  One
    of a planned layout has those beside it that are there then; the others are as without any.
    """
    devices = list(devices)
    planned = {each.layout_id: each for each in devices if each.layout_id is not None}
    alike: defaultdict[tuple[int, str, int | None], list[Device]] = defaultdict(list)
    for device in devices:
        alike[device.node_id, device.resource_name, device.layout_id].append(device)
    for (node, name, layout), same in alike.items():
        if layout is not None:
            others = alike.get((node, name, None), ())
            same += [each for each in others if each.gpu_index != planned[layout].gpu_index]
    promises = {where: _promise_of(same) for where, same in alike.items()}
    return {
        device.pk: promises[device.node_id, device.resource_name, device.layout_id]
        for device in devices
    }


def promise_on(node: Node, resource_name: str) -> Promise:
    """Return what a unit of a type is on ``node``, as it now is."""
    there = list(
        Device.objects.filter(node=node, resource_name=resource_name, is_present=True)
        .select_related("node__pool", "node__cluster")
        .order_by("ordinal")
    )
    # What runs on a device that is being drained is promised what it was.
    return _promise_of([d for d in there if d.state == DeviceState.IN_SERVICE] or there)


def _promise_of(alike: Sequence[Device]) -> Promise:
    node = alike[0].node if alike else None
    return promise.of(
        [device.replicas for device in alike],
        is_shared=bool(node and node.pool and node.pool.is_shared),
        is_claimed=bool(node and node.cluster.gpu_backend == GpuBackend.DRA.value),
    )


def slots_per_unit(node: Node, resource_name: str) -> int:
    """Return how many containers one booked device carries.

    The device plugin hands out time-slices without knowing tenants, so a tenant stays on its
    device only where the node has a single one of that type; elsewhere a device is one slot, but
    for pools that share their devices by an administrator's word.
    """
    replicas = [
        device.replicas
        for device in node.devices.all()
        if device.resource_name == resource_name
        and device.state == DeviceState.IN_SERVICE
        and device.is_present
    ]
    return promise.slots(replicas, is_shared=bool(node.pool and node.pool.is_shared))


def gpu_resource_names(cluster: Cluster) -> frozenset[str]:
    """Return every GPU resource name the cluster has ever shown, retired ones included."""
    names = Device.objects.filter(node__cluster=cluster).values_list("resource_name", flat=True)
    return frozenset(names.distinct())


def node_capacities(pool: Pool) -> Mapping[int, Node]:
    """Return the schedulable nodes of ``pool`` by primary key."""
    return {node.pk: node for node in Node.objects.filter(pool=pool, is_schedulable=True)}
