"""What clusters show of their nodes, kept beside what the inventory says."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import transaction

from gpuaas.audit import services as audit
from gpuaas.inventory import selectors, trust
from gpuaas.inventory.labels import NodeReport
from gpuaas.inventory.models import Cluster, Node
from gpuaas.notifications import services as notifications


def record_report(
    *,
    node: Node,
    reported_devices: Mapping[str, int] | None,
    is_ready: bool,
    now: datetime,
    frozen_because: str = "",
    is_planned: bool = False,
) -> bool:
    """Keep what the cluster shows of ``node``; return whether it differs from the last time.

    ``reported_devices`` is None where that cannot be relied on and nothing could be before.  While
    there is a ``frozen_because``, no session starts there.  Administrators are told of that, unless
    it ``is_planned``, and of a number of devices that is not the inventory's, once each.  A report
    older than the one that is kept has no effect.
    """
    devices = None if reported_devices is None else dict(reported_devices)
    frozen_because = frozen_because[:300]
    seen = {"reported_devices": devices, "is_ready": is_ready, "frozen_because": frozen_because}
    differs = any(getattr(node, column) != value for column, value in seen.items())
    with transaction.atomic():
        changed = (
            Node.objects.filter(pk=node.pk)
            .exclude(reported_at__gt=now)
            .update(**seen, reported_at=now)
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
                frozen_because=frozen_because,
            )
        is_news = frozen_because not in ("", node.frozen_because) and not is_planned
        if changed and is_news:
            _tell("node.frozen", node, frozen_because, now)
        if changed and devices is not None and is_ready and devices != node.reported_devices:
            why = trust.differences(devices, selectors.in_service_on(node))
            if why:
                _tell("node.differs", node, why, now)
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
    ``unreadable`` keeps its last report.  One that is being partitioned keeps its last devices:
    what it shows until that is done means nothing, and if it is planned nobody needs to be told.
    Nodes that the inventory does not know are left to the import.
    """
    by_name = {report.name: report for report in reports}
    is_told = bool(cluster.gpu_operator_namespace)
    expected = selectors.expected_on(cluster) if is_told else {}
    being_cut = selectors.being_cut(cluster) if is_told else {}
    lines, same = [], []
    nodes = list(Node.objects.filter(cluster=cluster).exclude(name__in=unreadable))
    for node in nodes:
        report = by_name.get(node.name, NodeReport(node.name, {}, is_ready=False))
        planned = being_cut.get(node.name, "")
        is_settled = trust.is_settled(report) and not planned
        devices = report.devices if is_settled else node.reported_devices
        why = planned or trust.doubt(report, expected.get(node.name))
        seen = (devices, report.is_ready, why)
        if seen == (node.reported_devices, node.is_ready, node.frozen_because):
            same.append(node.pk)
        elif record_report(
            node=node,
            reported_devices=devices,
            is_ready=report.is_ready,
            frozen_because=why,
            is_planned=bool(planned),
            now=now,
        ):
            lines.append(f"{node.name}: {_in_words(report)}{why and f', frozen: {why}'}")
    settled = {
        name: each
        for name, each in by_name.items()
        if trust.is_settled(each) and name not in being_cut
    }
    _compare_labels(cluster, nodes, settled, now)
    # One statement, however many nodes there are: most of the time nothing changed.
    Node.objects.filter(pk__in=same).exclude(reported_at__gt=now).update(reported_at=now)
    return tuple(lines)


def _compare_labels(
    cluster: Cluster, nodes: Iterable[Node], reports: Mapping[str, NodeReport], now: datetime
) -> None:
    """Keep where labels and inventory disagree, and tell administrators once of each.

    What can be booked does not follow: an import alone changes it.
    """
    told = [
        (node, report)
        for node in nodes
        if (report := reports.get(node.name)) and (report.labelled or node.labels_differ)
    ]
    known = selectors.known_on(cluster) if told else {}
    for node, report in told:
        why = trust.label_differences(report.labelled, known.get(node.pk, {}))[:300]
        if why == node.labels_differ:
            continue
        with transaction.atomic():
            kept = Node.objects.filter(pk=node.pk, labels_differ=node.labels_differ)
            if not kept.update(labels_differ=why):
                continue
            subject = f"node:{node.pk}"
            audit.record(
                "node.labels_differ", subject=subject, actor=None, at=now, node=node.name, why=why
            )
            if why:
                _tell("node.differs", node, why, now)


def _tell(event: str, node: Node, why: str, now: datetime) -> None:
    notifications.announce(
        event,
        key=f"{event}:{node.pk}:{now.isoformat()}",
        subject=f"node:{node.pk}",
        team=None,
        at=now,
        data={"node": node.name, "reason": why},
    )


def _in_words(report: NodeReport) -> str:
    devices = ", ".join(f"{name} {count}" for name, count in sorted(report.devices.items()))
    return f"{devices or 'no devices'}, {'ready' if report.is_ready else 'not ready'}"
