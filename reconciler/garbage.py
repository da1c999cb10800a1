"""What is in the cluster and not in the database: removed, and what is stuck, reported.

Never on absence alone: only what carries our labels, only after a complete listing, only when the
database, asked again, still knows no session for it, and only the very object that was seen.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from reconciler import cluster as port
from reconciler import connections, leftovers, observe
from reconciler.cluster import Manifest, is_terminating, ref_to
from reconciler.world import World
from sessions import selectors

logger = logging.getLogger(__name__)

STUCK_AFTER: Final = timedelta(minutes=10)

# Rung by rung: while one is in the way, those below say nothing of use.  Nothing here is done by
# itself: what a finalizer protects would stay behind, and come back with the namespace's name.
LADDER: Final = (
    (
        "NamespaceDeletionDiscoveryFailure",
        "an aggregated API does not answer: repair or remove its APIService",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "an API has a malformed version: repair or remove its APIService",
    ),
    (
        "NamespaceDeletionContentFailure",
        "something refuses the deletion: look for a webhook or an admission policy",
    ),
    (
        "NamespaceFinalizersRemaining",
        "somebody has to finish what these finalizers protect: is their controller running?",
    ),
    (
        "NamespaceContentRemaining",
        "wait for what is left; pods stay as long as their node does not answer",
    ),
)


@dataclass(slots=True)
class Report:
    """What one collection removed, and what it only tells of."""

    cluster: str
    removed: list[str] = field(default_factory=list)
    stuck: dict[str, str] = field(default_factory=dict)
    left_over: dict[str, str] = field(default_factory=dict)
    put_off: dict[str, str] = field(default_factory=dict)
    api_calls: dict[str, int] = field(default_factory=dict)


def collect_on_each_cluster(
    *, clock: Callable[[], datetime], dry_run: bool = False
) -> list[Report]:
    """Collect on every enabled cluster and return the reports."""
    return connections.on_each_cluster(
        lambda cluster, kube: collect(
            cluster_name=cluster.name,
            kube=kube,
            now=clock(),
            dry_run=dry_run,
        ),
        unreached=lambda name, error: Report(name, put_off={name: error}),
    )


def collect(
    *,
    cluster_name: str,
    kube: port.Cluster,
    now: datetime,
    dry_run: bool = False,
) -> Report:
    """Delete the namespaces of ours that no session owns, and bindings that grant to nobody.

    Namespaces stuck in Terminating, and what else is left of sessions, is reported.

    Raises:
        ClusterError: the cluster could not be observed; nothing was done.
    """
    report = Report(cluster_name)
    calls_before = Counter(kube.calls)
    world = World(
        kube, observe.look_at_namespaces(kube, installation=settings.INSTALLATION), dry_run=dry_run
    )
    for namespace in world.picture.namespaces():
        name = namespace["metadata"]["name"]
        if is_terminating(namespace):
            _report_if_stuck(namespace, now=now, report=report)
        elif not selectors.has_namespace(name):
            _remove(namespace, name, world, report)
    found = leftovers.look(kube)
    for binding in found.bindings:
        _remove(binding, str(ref_to(binding)), world, report)
    report.left_over.update(found.told)
    report.api_calls = dict(Counter(kube.calls) - calls_before)
    return report


def _remove(manifest: Manifest, name: str, world: World, report: Report) -> None:
    """Delete exactly the object that was seen; one that cannot be deleted spoils no other."""
    try:
        world.delete(ref_to(manifest), uid=manifest["metadata"]["uid"])
        report.removed.append(name)
    except port.ClusterError as error:
        report.put_off[name] = str(error)


def _report_if_stuck(namespace: Manifest, *, now: datetime, report: Report) -> None:
    asked_at = datetime.fromisoformat(namespace["metadata"]["deletionTimestamp"])
    if now - asked_at < STUCK_AFTER:
        return
    name = namespace["metadata"]["name"]
    report.stuck[name] = why_stuck(namespace)
    logger.warning("namespace stuck", extra={"namespace": name, "why": report.stuck[name]})


def why_stuck(namespace: Manifest) -> str:
    """Return what keeps a namespace Terminating, in the cluster's words, and what to do; pure.

    The reason that has to be cleared first decides what to do.
    """
    said = {
        condition["type"]: condition.get("message", "")
        for condition in namespace.get("status", {}).get("conditions", [])
        if condition["status"] == "True"
    }
    reasons = "; ".join(f"{kind}: {message}" for kind, message in said.items())
    first = next((advice for kind, advice in LADDER if kind in said), "")
    return f"{reasons} -- {first}" if first else reasons or "no reason given"
