"""The GPU Operator's part, played on the simulated cluster: what it would write on a node."""

from collections.abc import Mapping
from typing import Any

from gpuaas.inventory import gpu_operator, mig, operator_files
from reconciler.cluster import Cluster, Ref
from simcluster.objects import kinds
from simcluster.testing import Simulator

NODE = "gpu-node-1"
MIG_STATE = "nvidia.com/mig.config.state"


def shows(
    simulator: Simulator,
    *,
    labels: Mapping[str, str] | None = None,
    slots: Mapping[str, int] | None = None,
    node: str = NODE,
) -> None:
    """Set ``labels`` on the node, and what is allocatable of GPUs: exactly ``slots``."""
    store = simulator.server.cluster.registry.store

    def write() -> None:
        found = store.get(kinds.NODE, "", node)
        assert found is not None
        status = found["status"]
        if slots is not None:
            status = {
                **status,
                **{
                    part: {
                        **{k: v for k, v in status[part].items() if not k.startswith("nvidia.com")},
                        **{name: str(number) for name, number in slots.items()},
                    }
                    for part in ("capacity", "allocatable")
                },
            }
        metadata = found["metadata"]
        metadata = {**metadata, "labels": {**metadata["labels"], **(labels or {})}}
        store.put(kinds.NODE, {**found, "metadata": metadata, "status": status})

    simulator.call(write)


def told(
    kube: Cluster, *, namespace: str, gpus: int = 2, node: str = NODE
) -> dict[str, int] | None:
    """Return the slots that the operator would make of the node's labels; None: it finds no file.

    It reads what the reconciler wrote, as mig-parted and the device plugin do.
    """
    found = kube.get(Ref("v1", "Node", node))
    maps = [
        kube.get(Ref("v1", "ConfigMap", name, namespace))
        for name in (gpu_operator.MIG_CONFIG_MAP, gpu_operator.PLUGIN_CONFIG_MAP)
    ]
    if found is None or maps[0] is None or maps[1] is None:
        return None
    labels = found["metadata"]["labels"]
    layouts = operator_files.read_mig_config(maps[0]["data"][gpu_operator.MIG_CONFIG_KEY])
    sharing = maps[1]["data"].get(labels.get(gpu_operator.PLUGIN_CONFIG_LABEL))
    layout = layouts.get(labels.get(gpu_operator.MIG_CONFIG_LABEL))
    if layout is None or sharing is None:
        return None
    replicas = operator_files.read_plugin_config(sharing)
    devices = _devices(layout, gpus)
    return {name: count * replicas.get(name, 1) for name, count in devices.items()}


def works(simulator: Simulator, kube: Cluster, *, namespace: str, state: str = "success") -> bool:
    """Do what the operator would by now; return whether it had anything to do."""
    slots = told(kube, namespace=namespace)
    if slots is None:
        return False
    maps = kube.get(Ref("v1", "ConfigMap", gpu_operator.PLUGIN_CONFIG_MAP, namespace))
    found = kube.get(Ref("v1", "Node", NODE))
    assert maps is not None
    assert found is not None
    label = found["metadata"]["labels"][gpu_operator.PLUGIN_CONFIG_LABEL]
    replicas = operator_files.read_plugin_config(maps["data"][label])
    # GPU Feature Discovery takes away what is not there; zero says the same.
    labels = {f"{name}.count": "0" for name in (mig.WHOLE, "nvidia.com/mig-1g.24gb")}
    labels |= {f"{name}.replicas": str(replicas.get(name, 1)) for name in slots}
    labels |= {f"{name}.count": str(n // replicas.get(name, 1)) for name, n in slots.items()}
    shows(simulator, labels={**labels, MIG_STATE: state}, slots=slots)
    return True


def _devices(layout: list[dict[str, Any]], gpus: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in layout:
        indexes = list(range(gpus)) if entry["devices"] == "all" else entry["devices"]
        cut = entry.get("mig-devices") or {}
        each = {mig.resource_name_of(profile): n for profile, n in cut.items()} or {mig.WHOLE: 1}
        for name, count in each.items():
            found[name] = found.get(name, 0) + count * len(indexes)
    return found
