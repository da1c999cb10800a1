"""The GPU Operator's part, played on the simulated cluster: what it would write on a node."""

from collections.abc import Mapping

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
