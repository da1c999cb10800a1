"""What clusters show of their nodes, kept beside what the inventory says."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import transaction

from gpuaas.audit import services as audit
from gpuaas.inventory.labels import NodeReport
from gpuaas.inventory.models import Cluster, Node


def record_report(
    *, node: Node, reported_devices: Mapping[str, int], is_ready: bool, now: datetime
) -> bool:
    """Keep what the cluster shows of ``node``; return whether it differs from the last time.

    A report older than the one that is kept has no effect.
    """
    devices = dict(reported_devices)
    differs = devices != node.reported_devices or is_ready != node.is_ready
    with transaction.atomic():
        changed = (
            Node.objects.filter(pk=node.pk)
            .exclude(reported_at__gt=now)
            .update(reported_devices=devices, is_ready=is_ready, reported_at=now)
        )
        if changed and differs:
            audit.record(
                "node.reported",
                subject=f"node:{node.pk}",
                actor=None,
                at=now,
                node=node.name,
                devices=devices,
                is_ready=is_ready,
            )
    return bool(changed and differs)


def record_reports(
    *,
    cluster: Cluster,
    reports: Iterable[NodeReport],
    now: datetime,
    unreadable: Collection[str] = (),
) -> tuple[str, ...]:
    """Keep one look at all nodes of ``cluster``; return a line for each node that differs.

    A node that the cluster does not show has no devices and is not ready; one that is
    ``unreadable`` keeps its last report.  Nodes that the inventory does not know are left to the
    import.
    """
    by_name = {report.name: report for report in reports}
    lines, same = [], []
    for node in Node.objects.filter(cluster=cluster).exclude(name__in=unreadable):
        report = by_name.get(node.name, NodeReport(node.name, {}, is_ready=False))
        if report.devices == node.reported_devices and report.is_ready == node.is_ready:
            same.append(node.pk)
        elif record_report(
            node=node, reported_devices=report.devices, is_ready=report.is_ready, now=now
        ):
            lines.append(f"{node.name}: {_in_words(report)}")
    # One statement, however many nodes there are: most of the time nothing changed.
    Node.objects.filter(pk__in=same).exclude(reported_at__gt=now).update(reported_at=now)
    return tuple(lines)


def _in_words(report: NodeReport) -> str:
    devices = ", ".join(f"{name} {count}" for name, count in sorted(report.devices.items()))
    return f"{devices or 'no devices'}, {'ready' if report.is_ready else 'not ready'}"
