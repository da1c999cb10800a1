"""The GPU Operator's two ConfigMaps, and the labels of a node that choose from them."""

from collections.abc import Mapping

from gpuaas.inventory import gpu_operator
from reconciler import naming
from reconciler.cluster import Manifest


def config_maps(
    rendering: gpu_operator.Rendering, *, namespace: str, installation: str
) -> tuple[Manifest, ...]:
    """Return what the MIG manager and the device plugin read, in the operator's namespace."""
    contents = (
        (gpu_operator.MIG_CONFIG_MAP, rendering.mig_config),
        (gpu_operator.PLUGIN_CONFIG_MAP, rendering.plugin_config),
    )
    return tuple(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": naming.ours(installation),
            },
            "data": dict(data),
        }
        for name, data in contents
        if data
    )


def node_labels(
    node: Manifest, labels: Mapping[str, str], *, is_cordoned: bool = False
) -> Manifest:
    """Return what makes ``node``, and no other of its name, carry ``labels`` and our cordon.

    That is all that is ever ours of a node: what is left out here is taken from it.
    """
    metadata = node["metadata"]
    made: Manifest = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": metadata["name"], "uid": metadata["uid"], "labels": dict(labels)},
    }
    return {**made, "spec": {"unschedulable": True}} if is_cordoned else made
