"""Tell a cluster's GPU Operator how its nodes are cut and shared, from the inventory.

First what the labels choose from, then the labels: they change only when a look has seen both
ConfigMaps as they should be.  The operator's pods see a changed ConfigMap about a minute after it
was written, and try again until then.  A node is partitioned anew only in a gap: the MIG manager
takes the device plugin of the whole node away, and fails where a GPU is in use.
"""

import logging
from collections.abc import Iterable, Mapping

from django.conf import settings

from gpuaas.inventory import gpu_operator as operator_config
from gpuaas.inventory import selectors
from gpuaas.inventory.models import Cluster
from reconciler.cluster import Manifest, ref_to
from reconciler.manifests import gpu_operator
from reconciler.provision import Done, Outcome, Waiting
from reconciler.world import World, drifted
from sessions import selectors as sessions

logger = logging.getLogger(__name__)


def ensure(cluster: Cluster, nodes: Iterable[Manifest], world: World) -> Outcome:
    """Make the operator's configuration, and the labels of ``nodes``, what the inventory says.

    A cluster whose operator others configure is left alone, and so is a node whose inventory does
    not say enough.
    """
    if not cluster.gpu_operator_namespace:
        return Done()
    rendering = selectors.operators_view(cluster)
    for name, why in rendering.unknown.items():
        logger.warning("layout unknown", extra={"node": name, "reason": why})
    maps = gpu_operator.config_maps(
        rendering,
        namespace=cluster.gpu_operator_namespace,
        installation=settings.INSTALLATION,
    )
    standing = [_stands(config_map, world) for config_map in maps]
    if not all(standing):
        return Waiting("the GPU Operator's configuration was written; its nodes' labels follow")
    busy = sessions.nodes_in_use(cluster)
    for node in nodes:
        labels = dict(rendering.labels.get(node["metadata"]["name"], {}))
        if node["metadata"]["name"] in busy:
            labels.pop(operator_config.MIG_CONFIG_LABEL, None)
        if _carries_other(node, labels):
            _label(node, labels, world)
    return Done()


def _stands(config_map: Manifest, world: World) -> bool:
    """Return whether it was seen as it should be; else apply it."""
    seen = world.picture.get(ref_to(config_map))
    world.ensure(config_map)
    return seen is not None and not drifted(config_map, seen)


def _carries_other(node: Manifest, labels: Mapping[str, str]) -> bool:
    return drifted(dict(labels), node["metadata"].get("labels") or {})


def _label(node: Manifest, labels: Mapping[str, str], world: World) -> None:
    chosen = ", ".join(f"{name}={value}" for name, value in labels.items())
    world.changes.append(f"label {node['metadata']['name']}: {chosen}")
    if not world.dry_run:
        world.kube.apply(gpu_operator.node_labels(node, labels))
