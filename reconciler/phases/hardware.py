"""Keep what the cluster shows of its nodes, and tell its GPU Operator how they are to be."""

import logging
from collections.abc import Iterable
from datetime import datetime

from gpuaas.inventory import labels, services
from gpuaas.inventory.models import Cluster
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
    lines = services.record_reports(
        cluster=cluster, reports=reports, unreadable=unreadable, now=now
    )
    for line in lines:
        logger.warning("node reports differently", extra={"report": line})
    world.changes.extend(f"node {line}" for line in lines)
    return partitioning.ensure(cluster, nodes, world)
