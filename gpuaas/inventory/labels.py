"""Nodes as GPU Feature Discovery describes them: labels and allocatable -> devices.  Pure.

Source of the label names: NVIDIA k8s-device-plugin, docs/gpu-feature-discovery.  With the MIG
strategy "mixed", ``nvidia.com/gpu.*`` speaks of the GPUs that are not partitioned and
``nvidia.com/mig-<profile>.*`` of each kind of slice; ``count`` is physical, ``replicas`` what
time-slicing makes of one.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gpuaas.inventory import quantities

VENDOR: Final = "nvidia.com/"
_MIG_COUNT: Final = re.compile(r"nvidia\.com/(mig-[a-z0-9.+-]+)\.count")
_TOPOLVM_CAPACITY: Final = "capacity.topolvm.io/"
_SHARED: Final = "-SHARED"


class UnreadableNode(ValueError):
    """A node's labels or quantities are not what GPU Feature Discovery or Kubernetes write."""


@dataclass(frozen=True, slots=True, order=True)
class DeviceFacts:
    """One device: ``ordinal`` counts its type on its node from 0; memory in MiB."""

    resource_name: str
    ordinal: int
    product: str
    memory_mib: int
    replicas: int


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node: CPU in thousandths of a core, memory in MiB, storage in GiB."""

    name: str
    cpu_millicores: int
    memory_mib: int
    storage_gib: int
    is_schedulable: bool
    devices: tuple[DeviceFacts, ...]


def facts_of(node: Mapping[str, Any]) -> NodeFacts:
    """Return what a Node object of the Kubernetes API says.

    Raises:
        UnreadableNode: a number is missing or is none.
    """
    metadata = node.get("metadata") or {}
    name = metadata.get("name", "")
    if not name:
        raise UnreadableNode("a node without a name")
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    try:
        return NodeFacts(
            name=name,
            cpu_millicores=quantities.millicores(allocatable["cpu"]),
            memory_mib=quantities.mebibytes(allocatable["memory"]),
            storage_gib=_storage_gib(metadata.get("annotations") or {}, allocatable),
            is_schedulable=not (node.get("spec") or {}).get("unschedulable", False),
            devices=tuple(_devices(metadata.get("labels") or {})),
        )
    except KeyError as error:
        raise UnreadableNode(f"node {name}: {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise UnreadableNode(f"node {name}: {error}") from error


def _devices(labels: Mapping[str, str]) -> Iterator[DeviceFacts]:
    for kind in _kinds(labels):
        prefix = f"{VENDOR}{kind}"
        for ordinal in range(_whole(labels[f"{prefix}.count"])):
            yield DeviceFacts(
                resource_name=prefix,
                ordinal=ordinal,
                product=labels.get(f"{prefix}.product", "unknown").removesuffix(_SHARED),
                memory_mib=_whole(labels[f"{prefix}.memory"]),
                replicas=max(1, _whole(labels.get(f"{prefix}.replicas", "1"))),
            )


def _whole(label: str) -> int:
    if not (label.isascii() and label.isdigit()):
        raise ValueError(f"not a whole number: {label!r}")
    return int(label)


def _kinds(labels: Mapping[str, str]) -> list[str]:
    kinds = [match[1] for label in sorted(labels) if (match := _MIG_COUNT.fullmatch(label))]
    # A node whose GPUs are all partitioned still carries gpu.count; then replicas says "0".
    whole = f"{VENDOR}gpu.count" in labels and labels.get(f"{VENDOR}gpu.replicas") != "0"
    return ["gpu", *kinds] if whole else kinds


def _storage_gib(annotations: Mapping[str, str], allocatable: Mapping[str, str]) -> int:
    volume_groups = [
        quantities.gibibytes(value)
        for name, value in annotations.items()
        if name.startswith(_TOPOLVM_CAPACITY)
    ]
    return (
        max(volume_groups)
        if volume_groups
        else quantities.gibibytes(allocatable["ephemeral-storage"])
    )
