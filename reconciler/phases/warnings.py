"""Tell people what their namespace warns of: pods that do not start, volumes that do not mount."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from gpuaas.inventory.models import Cluster
from reconciler import plain_words
from reconciler.cluster import Manifest
from reconciler.provision import Done, Outcome
from reconciler.world import World
from sessions import services

LINES_AT_MOST: Final = 10


def due(cluster: Cluster, now: datetime) -> Iterable[Cluster]:  # noqa: ARG001 -- a phase's signature
    """Return the cluster itself: one listing, however many sessions it has."""
    return (cluster,)


def act(cluster: Cluster, world: World, now: datetime) -> Outcome:
    """List the warnings of the whole cluster once, and tell each session its own."""
    ours = {each["metadata"]["name"] for each in world.picture.namespaces()}
    if not ours:
        return Done()
    found: dict[str, list[Manifest]] = defaultdict(list)
    for event in world.kube.find("v1", "Event", fields={"type": "Warning"}):
        if event["metadata"]["namespace"] in ours:
            found[event["metadata"]["namespace"]].append(event)
    warnings = {
        namespace: plain_words.told_of(events, at_most=LINES_AT_MOST)
        for namespace, events in found.items()
    }
    if warnings:
        services.record_warnings(cluster=cluster, warnings=warnings, now=now)
    return Done()
