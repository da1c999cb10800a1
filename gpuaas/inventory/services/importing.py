"""Making the inventory what a cluster, or a file, says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.inventory import files
from gpuaas.inventory.labels import DeviceFacts, NodeFacts
from gpuaas.inventory.models import Cluster, Device, DeviceState, Node, Pool
from gpuaas.inventory.services import guards
from gpuaas.inventory.services.refusals import ImportRefused


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import changed (or, in a dry run, would change), one line each."""

    changes: tuple[str, ...]


def ensure_cluster(*, name: str, display_name: str, workspace_url_template: str) -> Cluster:
    """Return the cluster of that name with that address; make it first if there is none."""
    cluster, _ = Cluster.objects.update_or_create(
        name=name,
        defaults={"workspace_url_template": workspace_url_template},
        create_defaults={
            "workspace_url_template": workspace_url_template,
            "display_name": display_name,
        },
    )
    return cluster


def ensure_default_pool(*, cluster: Cluster) -> Pool:
    """Put the cluster's nodes that are in no pool into its default pool, and return that."""
    with transaction.atomic():
        pool, _ = Pool.objects.get_or_create(
            slug=slugify(cluster.name),
            defaults={"cluster": cluster, "name": cluster.display_name},
        )
        Node.objects.filter(cluster=cluster, pool=None).update(pool=pool)
    return pool


def import_nodes(
    *,
    cluster: Cluster,
    nodes: Iterable[NodeFacts],
    actor: User | None,
    now: datetime,
    dry_run: bool = False,
) -> ImportReport:
    """Make the cluster's nodes and devices what ``nodes`` says, and return the difference.

    A device that is gone is retired, not deleted: bookings point to it.  A node that is gone is
    made unschedulable.  Both come back when they are seen again; what an administrator took out of
    service stays out.  With ``dry_run`` nothing is written.

    Raises:
        PlatformAdminsOnly: the actor is somebody else.
        ImportRefused: a UUID is another device's, or a pool is not there or not this node's.
    """
    guards.check_actor(actor)
    changes: list[str] = []
    with transaction.atomic():
        # One import at a time: each looks before it writes.
        Cluster.objects.select_for_update().get(pk=cluster.pk)
        pools = {pool.slug: pool for pool in Pool.objects.filter(cluster=cluster).order_by("pk")}
        if not dry_run:
            for pool in pools.values():
                guards.keep_bookings_out(pool)
        nodes = tuple(nodes)
        _let_go_of_uuids(cluster, nodes)
        seen = [_import_node(cluster, facts, pools, changes, now) for facts in nodes]
        for gone in Node.objects.filter(cluster=cluster, is_schedulable=True).exclude(
            pk__in=[node.pk for node in seen]
        ):
            changes.append(f"- node {gone.name}")
            Node.objects.filter(pk=gone.pk).update(is_schedulable=False)
        if dry_run:
            transaction.set_rollback(True)
        elif changes:
            audit.record(
                "inventory.imported",
                subject=f"cluster:{cluster.name}",
                actor=actor,
                at=now,
                changes=changes,
            )
    return ImportReport(tuple(changes))


def import_file(
    *, content: bytes, actor: User | None, now: datetime, dry_run: bool = False
) -> ImportReport:
    """Make the inventory of the cluster that a YAML file names what the file says.

    Raises:
        FileRefused: the file is wrong, or names a cluster that is not there.
        PlatformAdminsOnly, ImportRefused: as for `import_nodes`.
    """
    guards.check_actor(actor)
    file = files.read(content)
    cluster = Cluster.objects.filter(name=file.cluster).first()
    if cluster is None:
        known = ", ".join(Cluster.objects.values_list("name", flat=True)) or "none"
        message = f"there is no cluster {file.cluster!r}; known are: {known}"
        raise files.FileRefused([files.FileProblem("cluster", 1, message)])
    return import_nodes(cluster=cluster, nodes=file.nodes, actor=actor, now=now, dry_run=dry_run)


def _import_node(
    cluster: Cluster,
    facts: NodeFacts,
    pools: Mapping[str, Pool],
    changes: list[str],
    now: datetime,
) -> Node:
    # Storage only once: what the node reports shrinks as volumes are made from it.
    wanted: dict[str, Any] = {
        "cpu_millicores": facts.cpu_millicores,
        "memory_mib": facts.memory_mib,
        "is_schedulable": facts.is_schedulable,
    }
    node = Node.objects.filter(cluster=cluster, name=facts.name).first()
    pool = _pool_for(facts, node, pools)
    if pool is not None:
        wanted["pool"] = pool
    if node is None:
        node = Node.objects.create(
            cluster=cluster, name=facts.name, storage_gib=facts.storage_gib, **wanted
        )
        changes.append(f"+ node {facts.name}")
    else:
        wanted["is_schedulable"] = facts.is_schedulable and not node.is_withdrawn
        if differing := _differences(node, wanted):
            Node.objects.filter(pk=node.pk).update(**wanted)
            changes.append(f"~ node {facts.name}: {differing}")
    _import_devices(node, facts.devices, changes, now)
    return node


def _pool_for(facts: NodeFacts, node: Node | None, pools: Mapping[str, Pool]) -> Pool | None:
    """Return the pool that a node without one is meant for."""
    if facts.pool is None:
        return None
    if facts.pool not in pools:
        known = ", ".join(pools) or "none"
        raise ImportRefused(
            f"node {facts.name}: the cluster has no pool {facts.pool!r}; it has: {known}"
        )
    if node is not None and node.pool is not None and node.pool != pools[facts.pool]:
        raise ImportRefused(
            f"node {facts.name} is in pool {node.pool.slug!r} and an import does not move it to"
            f" {facts.pool!r}: its bookings are guarded by that pool's lock"
        )
    return pools[facts.pool]


def _import_devices(
    node: Node, devices: Iterable[DeviceFacts], changes: list[str], now: datetime
) -> None:
    # What a planned layout makes is not in any file, and comes and goes with it.
    own = [device for device in node.devices.all() if device.layout_id is None]
    existing = {(d.resource_name, d.ordinal): d for d in own}
    for facts in devices:
        name = f"{node.name} {facts.resource_name} #{facts.ordinal}"
        device = existing.pop((facts.resource_name, facts.ordinal), None)
        wanted = _wanted(facts)
        if device is None:
            Device.objects.create(
                node=node, resource_name=facts.resource_name, ordinal=facts.ordinal, **wanted
            )
            changes.append(f"+ device {name}")
            continue
        if device.retired_by_import:
            wanted["state"] = DeviceState.IN_SERVICE.value
        if differing := _differences(device, wanted):
            if "state" in wanted:
                wanted |= {"retired_by_import": False, "state_reason": "", "state_changed_at": now}
            Device.objects.filter(pk=device.pk).update(**wanted)
            changes.append(f"~ device {name}: {differing}")
    for gone in existing.values():
        # Anything but in service is an administrator's word, or done already.
        retired = Device.objects.filter(pk=gone.pk, state=DeviceState.IN_SERVICE).update(
            state=DeviceState.RETIRED,
            retired_by_import=True,
            state_reason="the node does not have it any more",
            state_changed_at=now,
        )
        if retired:
            changes.append(f"- device {node.name} {gone.resource_name} #{gone.ordinal}")


def _wanted(facts: DeviceFacts) -> dict[str, Any]:
    """Return the columns that ``facts`` speaks of; what it does not know stays as it is."""
    wanted: dict[str, Any] = {
        "product": facts.product,
        "memory_mib": facts.memory_mib,
        "compute_share": facts.compute_share,
        "replicas": facts.replicas,
    }
    known = {"gpu_index": facts.gpu_index, "uuid": facts.uuid}
    return wanted | {field: value for field, value in known.items() if value is not None}


def _differences(row: Node | Device, wanted: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{field} {_shown(getattr(row, field))} -> {_shown(value)}"
        for field, value in wanted.items()
        if getattr(row, field) != value
    )


def _shown(value: Any) -> Any:
    return value.slug if isinstance(value, Pool) else value


def _let_go_of_uuids(cluster: Cluster, nodes: Iterable[NodeFacts]) -> None:
    """Take from devices the UUIDs that others of the cluster have now.

    Raises:
        ImportRefused: one belongs to a device of another cluster.
    """
    owners = {
        device.uuid: (node.name, device.resource_name, device.ordinal)
        for node in nodes
        for device in node.devices
        if device.uuid is not None
    }
    for device in Device.objects.filter(uuid__in=owners).select_related("node__cluster"):
        if device.node.cluster_id != cluster.pk:
            raise ImportRefused(
                f"UUID {device.uuid} belongs to {device} of cluster {device.node.cluster.name}"
            )
        if owners.get(device.uuid or "") != (
            device.node.name,
            device.resource_name,
            device.ordinal,
        ):
            Device.objects.filter(pk=device.pk).update(uuid=None)
