"""What is in the cluster and not in the database: removed, and what is stuck, reported.

Never on absence alone: only what carries our labels, only after a complete listing, only when the
database, asked again, still knows no session for it, and only the very object that was seen.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from reconciler import cluster as port
from reconciler import connections, leftovers, observe, terminating
from reconciler.cluster import Manifest, is_terminating, ref_to
from reconciler.world import World
from sessions import selectors

logger = logging.getLogger(__name__)


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
    """Delete the namespaces of ours that no session owns, and what sessions left outside theirs.

    What keeps a namespace Terminating is reported, and what only people can decide about.

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
            _help_on(namespace, world, now=now, report=report)
        elif not selectors.has_namespace(name):
            _remove(namespace, name, world, report)
    found = leftovers.look(kube, ended_before=_volumes_go_if_ended_before(now))
    for binding in found.bindings:
        _remove(binding, str(ref_to(binding)), world, report)
    for change in found.changes:
        _take_out(change, world, report)
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


def _take_out(change: leftovers.Change, world: World, report: Report) -> None:
    try:
        world.change(change.seen, change.fields)
        report.removed.append(change.removes)
    except port.ClusterError as error:
        report.put_off[change.removes] = str(error)


def _volumes_go_if_ended_before(now: datetime) -> datetime | None:
    days = settings.RELEASED_VOLUMES_DAYS
    return None if days < 0 else now - timedelta(days=days)


def _help_on(namespace: Manifest, world: World, *, now: datetime, report: Report) -> None:
    """Go up the ladder of what can be done about a namespace that has been going for long."""
    for_so_long = now - datetime.fromisoformat(namespace["metadata"]["deletionTimestamp"])
    if for_so_long < terminating.STUCK_AFTER:
        return
    name = namespace["metadata"]["name"]
    try:
        held = terminating.held_in(world.kube, name)
        if for_so_long >= terminating.RELEASED_AFTER:
            releasable = frozenset(settings.RELEASABLE_FINALIZERS)
            for each in terminating.releases(held, releasable):
                _take_out(each, world, report)
    except port.ClusterError as error:
        held = []
        report.put_off[name] = str(error)
    report.stuck[name] = terminating.why(namespace, held)
    logger.warning("namespace stuck", extra={"namespace": name, "why": report.stuck[name]})
