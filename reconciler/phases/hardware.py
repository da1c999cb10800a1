"""Keep what the cluster shows of its nodes, and tell its GPU Operator how they are to be."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from gpuaas.inventory import labels, services, slices
from gpuaas.inventory.labels import NodeReport
from gpuaas.inventory.models import Cluster, GpuBackend
from reconciler import partitioning
from reconciler.provision import Outcome
from reconciler.world import World

logger = logging.getLogger(__name__)


def due(cluster: Cluster, now: datetime) -> Iterable[Cluster]:  # noqa: ARG001 -- a phase's signature
    """Return the cluster itself: one listing, however many nodes it has."""
    return (cluster,)


def act(cluster: Cluster, world: World, now: datetime) -> Outcome:
    """List the nodes and keep what differs from the last time.

    A node whose labels cannot be read keeps its last report, and does not hide the others.
    """
    reports, unreadable = [], set()
    nodes = world.kube.find("v1", "Node")
    for node in nodes:
        try:
            reports.append(labels.report_of(node))
        except labels.UnreadableNode as error:
            unreadable.add(node["metadata"]["name"])
            logger.warning("node unreadable", extra={"error": str(error)})
    if cluster.gpu_backend == GpuBackend.DRA.value:
        published = slices.read(world.kube.find("resource.k8s.io/v1", "ResourceSlice"))
        reports = [_as_published(report, published) for report in reports]
        unreadable |= published.partial
        found = services.record_uuids(cluster=cluster, shown=published.by_node, now=now)
        found += services.record_presence(cluster=cluster, shown=published.by_node, now=now)
        world.changes.extend(found)
    lines = services.record_reports(
        cluster=cluster, reports=reports, unreadable=unreadable, now=now
    )
    for line in lines:
        logger.warning("node reports differently", extra={"report": line})
    world.changes.extend(f"node {line}" for line in lines)
    return partitioning.ensure(cluster, nodes, reports, world, now)


def _as_published(report: NodeReport, published: slices.Published) -> NodeReport:
    """Count what the driver publishes: where devices are claimed, no number is allocatable."""
    devices = Counter(published.by_node.get(report.name, {}).values())
    return dataclasses.replace(report, devices=dict(devices), slots={})
