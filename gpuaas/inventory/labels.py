"""Nodes as GPU Feature Discovery describes them: labels and allocatable -> devices.  Pure.

Source of the label names: NVIDIA k8s-device-plugin, docs/gpu-feature-discovery.  With the MIG
strategy "mixed", ``nvidia.com/gpu.*`` speaks of the GPUs that are not partitioned and
``nvidia.com/mig-<profile>.*`` of each kind of slice; ``count`` is physical, ``replicas`` what
time-slicing makes of one.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from gpuaas.inventory import mig, quantities

VENDOR: Final = "nvidia.com/"
MIG_STATE: Final = "nvidia.com/mig.config.state"
_MIG_COUNT: Final = re.compile(r"nvidia\.com/(mig-[a-z0-9.+-]+)\.count")
_TOPOLVM_CAPACITY: Final = "capacity.topolvm.io/"
_SHARED: Final = "-SHARED"
# What time-slicing calls a resource when it renames it.
_RENAMED: Final = ".shared"


class UnreadableNode(ValueError):
    """A node's labels or quantities are not what GPU Feature Discovery or Kubernetes write."""


@dataclass(frozen=True, slots=True, order=True)
class DeviceFacts:
    """One device: ``ordinal`` counts its type on its node from 0; memory in MiB.

    ``compute_share`` is its part of a physical GPU.  Labels do not tell which: ``gpu_index`` and
    ``uuid`` are None then.
    """

    resource_name: str
    ordinal: int
    product: str
    memory_mib: int
    replicas: int
    compute_share: Decimal = Decimal(1)
    gpu_index: int | None = None
    uuid: str | None = None


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node: CPU in thousandths of a core, memory in MiB, storage in GiB.

    ``pool`` is the slug of the pool it is meant for; labels do not tell.
    """

    name: str
    cpu_millicores: int
    memory_mib: int
    storage_gib: int
    is_schedulable: bool
    devices: tuple[DeviceFacts, ...]
    pool: str | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the labels say of one type on a node: how many, of which product, with what memory."""

    count: int
    product: str
    memory_mib: int


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a cluster shows of a node right now: devices by resource name, and its health.

    ``slots`` is what is allocatable, before it is divided by the replicas.  ``mig_state`` is what
    the MIG manager says of its last work, empty where there is none.  ``labelled`` is what its
    labels say, by resource name; empty where nobody labels it, or not well enough.
    """

    name: str
    devices: Mapping[str, int]
    is_ready: bool
    slots: Mapping[str, int] = field(default_factory=dict)
    mig_state: str = ""
    labelled: Mapping[str, Labelled] = field(default_factory=dict)


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


def report_of(node: Mapping[str, Any]) -> NodeReport:
    """Return how many devices of each type a Node object offers, and whether it is Ready.

    Time-slicing multiplies what is allocatable, so that is divided by the replicas again.

    Raises:
        UnreadableNode: a number is none.
    """
    metadata, status = node.get("metadata") or {}, node.get("status") or {}
    name, labels = metadata.get("name", ""), metadata.get("labels") or {}
    devices: dict[str, int] = {}
    shown: dict[str, int] = {}
    try:
        for resource, slots in (status.get("allocatable") or {}).items():
            if resource.startswith(VENDOR):
                kind = resource.removesuffix(_RENAMED)
                replicas = max(1, _whole(labels.get(f"{kind}.replicas", "1")))
                number = int(quantities.parse(slots))
                devices[kind] = devices.get(kind, 0) + number // replicas
                shown[kind] = shown.get(kind, 0) + number
    except ValueError as error:
        raise UnreadableNode(f"node {name}: {error}") from error
    ready = [each for each in status.get("conditions") or [] if each.get("type") == "Ready"]
    # A node that has said nothing of its health yet is not called ill.
    is_ready = all(each.get("status") == "True" for each in ready)
    return NodeReport(name, devices, is_ready, shown, labels.get(MIG_STATE, ""), _labelled(labels))


def _labelled(labels: Mapping[str, str]) -> dict[str, Labelled]:
    found: dict[str, Labelled] = {}
    try:
        for each in _devices(labels):
            found[each.resource_name] = Labelled(each.ordinal + 1, each.product, each.memory_mib)
    except (KeyError, ValueError):
        return {}
    return found


def _devices(labels: Mapping[str, str]) -> Iterator[DeviceFacts]:
    for kind in _kinds(labels):
        prefix = f"{VENDOR}{kind}"
        product = labels.get(f"{prefix}.product", "unknown").removesuffix(_SHARED)
        memory = labels.get(f"{prefix}.memory")
        memory_mib = mig.memory_mib_of(product, prefix) if memory is None else _whole(memory)
        if memory_mib is None:
            raise KeyError(f"{prefix}.memory")
        for ordinal in range(_whole(labels[f"{prefix}.count"])):
            yield DeviceFacts(
                resource_name=prefix,
                ordinal=ordinal,
                product=product,
                memory_mib=memory_mib,
                replicas=max(1, _whole(labels.get(f"{prefix}.replicas", "1"))),
                compute_share=mig.share_of(product, prefix),
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
