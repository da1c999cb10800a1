"""Everything that changes the inventory."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.text import slugify

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.inventory.labels import DeviceFacts, NodeFacts
from gpuaas.inventory.models import Cluster, Device, DeviceState, Node, Pool


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
    made unschedulable.  With ``dry_run`` nothing is written.
    """
    changes: list[str] = []
    with transaction.atomic():
        seen = [_import_node(cluster, facts, changes) for facts in nodes]
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


def _import_node(cluster: Cluster, facts: NodeFacts, changes: list[str]) -> Node:
    # Storage only once: what the node reports shrinks as volumes are made from it.
    wanted = {
        "cpu_millicores": facts.cpu_millicores,
        "memory_mib": facts.memory_mib,
        "is_schedulable": facts.is_schedulable,
    }
    node = Node.objects.filter(cluster=cluster, name=facts.name).first()
    if node is None:
        node = Node.objects.create(
            cluster=cluster, name=facts.name, storage_gib=facts.storage_gib, **wanted
        )
        changes.append(f"+ node {facts.name}")
    else:
        differing = [
            f"{k} {getattr(node, k)} -> {v}" for k, v in wanted.items() if getattr(node, k) != v
        ]
        if differing:
            Node.objects.filter(pk=node.pk).update(**wanted)
            changes.append(f"~ node {facts.name}: {', '.join(differing)}")
    _import_devices(node, facts.devices, changes)
    return node


def _import_devices(node: Node, devices: Iterable[DeviceFacts], changes: list[str]) -> None:
    existing = {(d.resource_name, d.ordinal): d for d in node.devices.all()}
    for facts in devices:
        device = existing.pop((facts.resource_name, facts.ordinal), None)
        wanted = {
            "product": facts.product,
            "memory_mib": facts.memory_mib,
            "replicas": facts.replicas,
            "state": DeviceState.IN_SERVICE,
        }
        if device is None:
            Device.objects.create(
                node=node, resource_name=facts.resource_name, ordinal=facts.ordinal, **wanted
            )
            changes.append(f"+ device {node.name} {facts.resource_name} #{facts.ordinal}")
        elif any(getattr(device, field) != value for field, value in wanted.items()):
            Device.objects.filter(pk=device.pk).update(**wanted)
            changes.append(f"~ device {node.name} {facts.resource_name} #{facts.ordinal}")
    for gone in existing.values():
        if gone.state != DeviceState.RETIRED:
            Device.objects.filter(pk=gone.pk).update(state=DeviceState.RETIRED)
            changes.append(f"- device {node.name} {gone.resource_name} #{gone.ordinal}")
