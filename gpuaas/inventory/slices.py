"""Which devices NVIDIA's driver for dynamic resource allocation publishes, by node.  Pure.

A driver publishes a node's devices as a pool of one or more ResourceSlices, which it replaces as a
whole: only those of the latest generation count, and only when all of them are there.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gpuaas.inventory import mig

DRIVER: Final = "gpu.nvidia.com"


@dataclass(frozen=True, slots=True)
class Published:
    """The type of each published device by its UUID, for each node; ``partial`` are left out."""

    by_node: Mapping[str, Mapping[str, str]]
    partial: frozenset[str] = frozenset()


def read(slices: Iterable[Mapping[str, Any]]) -> Published:
    """Return which devices there are, and of which nodes only a part is published right now."""
    pools: defaultdict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for each in slices:
        spec = each.get("spec") or {}
        if spec.get("driver") == DRIVER and spec.get("nodeName"):
            pools[spec["nodeName"], spec["pool"]["name"]].append(spec)
    found: dict[str, dict[str, str]] = {}
    partial: set[str] = set()
    for (node, _), specs in pools.items():
        latest = max(spec["pool"]["generation"] for spec in specs)
        current = [spec for spec in specs if spec["pool"]["generation"] == latest]
        if len(current) < current[0]["pool"]["resourceSliceCount"]:
            partial.add(node)
        shown = found.setdefault(node, {})
        for spec in current:
            shown |= dict(filter(None, map(_device, spec.get("devices") or ())))
    whole = {node: shown for node, shown in found.items() if node not in partial}
    return Published(whole, frozenset(partial))


def _device(device: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the UUID and the resource name of a GPU or MIG slice; None of what is neither."""
    attributes = {
        name.removeprefix(f"{DRIVER}/"): next(iter(value.values()), None)
        for name, value in (device.get("attributes") or {}).items()
    }
    uuid, kind, profile = (attributes.get(name) for name in ("uuid", "type", "profile"))
    if not uuid:
        return None
    if kind == "mig" and profile:
        return str(uuid), mig.resource_name_of(str(profile))
    return (str(uuid), mig.WHOLE) if kind == "gpu" else None
