"""What NVIDIA's GPU Operator is told about nodes: how GPUs are cut, how often they are handed out.

Pure: devices in, the data of two ConfigMaps and the node labels that choose from them out.  The
formats are those of mig-parted and of the device plugin.  A configuration is named after its
content, so that a changed layout is a changed label, which is what the operator looks at.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from gpuaas.inventory import mig, operator_files
from gpuaas.inventory.labels import DeviceFacts
from gpuaas.inventory.operator_files import FEWEST_REPLICAS, Entry

MIG_CONFIG_MAP: Final = "custom-mig-config"
MIG_CONFIG_KEY: Final = "config.yaml"
PLUGIN_CONFIG_MAP: Final = "device-plugin-config"
MIG_CONFIG_LABEL: Final = "nvidia.com/mig.config"
PLUGIN_CONFIG_LABEL: Final = "nvidia.com/device-plugin.config"

ALL_DISABLED: Final = "all-disabled"
_PREFIX: Final = "gpuaas-"
_DIGITS: Final = 10
_SLICE: Final = re.compile(r"([1-9]g\.[1-9][0-9]*gb)(.*)")


class LayoutUnknown(ValueError):
    """The inventory does not say enough of a node to tell the operator how it is cut."""


@dataclass(frozen=True, slots=True)
class NodeDevices:
    """One node with what it has; ``is_shared``: several teams at once get its replicas."""

    name: str
    devices: tuple[DeviceFacts, ...]
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Rendering:
    """The data of both ConfigMaps, and labels by node.

    ``unknown`` says of each node that is left alone why.
    """

    mig_config: Mapping[str, str] = field(default_factory=dict)
    plugin_config: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)


def render(nodes: Iterable[NodeDevices]) -> Rendering:
    """Return what the operator has to know so that ``nodes`` become as they are written down."""
    layouts: dict[str, list[Entry]] = {ALL_DISABLED: [{"devices": "all", "mig-enabled": False}]}
    plugin: dict[str, str] = {}
    labels: dict[str, Mapping[str, str]] = {}
    unknown: dict[str, str] = {}
    for node in sorted(nodes, key=lambda each: each.name):
        try:
            entries = layout_of(node.devices)
        except LayoutUnknown as error:
            unknown[node.name] = str(error)
            continue
        sharing = _plugin_text(replicas_of(node.devices, is_shared=node.is_shared))
        plugin[_named_after(sharing)] = sharing
        labels[node.name] = {PLUGIN_CONFIG_LABEL: _named_after(sharing)}
        if any(mig.family_of(device.product) for device in node.devices):
            layouts[_named_after(_text(entries))] = entries
            labels[node.name] = {
                MIG_CONFIG_LABEL: _named_after(_text(entries)),
                **labels[node.name],
            }
    whole = _text({"version": "v1", "mig-configs": layouts})
    operator_files.read_mig_config(whole)
    for text in plugin.values():
        operator_files.read_plugin_config(text)
    return Rendering({MIG_CONFIG_KEY: whole}, plugin, labels, unknown)


def layout_of(devices: Iterable[DeviceFacts]) -> list[Entry]:
    """Return how the GPUs of one node are cut, alike ones together, as mig-parted reads it.

    Raises:
        LayoutUnknown: some device's GPU is not known, or a GPU cannot be cut that way.
    """
    by_gpu: dict[int, list[DeviceFacts]] = {}
    for device in devices:
        if device.gpu_index is None:
            raise LayoutUnknown(
                f"which GPU {device.resource_name} #{device.ordinal} lies on is not known:"
                " give its gpu_index in an inventory file"
            )
        by_gpu.setdefault(device.gpu_index, []).append(device)
    if not by_gpu:
        raise LayoutUnknown("it has no devices")
    alike: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for index, parts in sorted(by_gpu.items()):
        alike.setdefault(_cut(index, parts), []).append(index)
    return [
        {"devices": indexes, "mig-enabled": True, "mig-devices": dict(cut)}
        if cut
        else {"devices": indexes, "mig-enabled": False}
        for cut, indexes in alike.items()
    ]


def replicas_of(devices: Iterable[DeviceFacts], *, is_shared: bool = False) -> dict[str, int]:
    """Return how often each type is to be handed out, where that is more than once.

    The plugin hands replicas out without knowing whose pod asks.  So a type is multiplied only
    where the node has one device of it, unless the node ``is_shared``.
    """
    found: dict[str, list[int]] = {}
    for device in devices:
        found.setdefault(device.resource_name, []).append(device.replicas)
    return {
        name: max(replicas)
        for name, replicas in sorted(found.items())
        if max(replicas) >= FEWEST_REPLICAS and (is_shared or len(replicas) == 1)
    }


def profile_called(resource_name: str) -> str:
    """Return the MIG profile of a slice: ``nvidia.com/mig-1g.24gb.gfx`` is ``1g.24gb+gfx``.

    Raises:
        LayoutUnknown: it is no slice.
    """
    match = _SLICE.fullmatch(resource_name.removeprefix(mig.SLICE_PREFIX))
    if match is None:
        raise LayoutUnknown(f"{resource_name} is no MIG slice")
    base, rest = match.groups()
    return f"{base}+{rest[1:]}" if rest.startswith(".") else base + rest


def _cut(index: int, parts: list[DeviceFacts]) -> tuple[tuple[str, int], ...]:
    """Return the profiles on one GPU and how many of each; nothing for a whole one."""
    whole = [device for device in parts if device.resource_name == mig.WHOLE]
    if whole:
        if len(parts) > 1:
            raise LayoutUnknown(f"GPU {index} is whole and has other devices on it")
        return ()
    counts = Counter(profile_called(device.resource_name) for device in parts)
    family = mig.family_of(parts[0].product)
    if family is not None:
        profiles = [family.profile(device.resource_name) for device in parts]
        known = [profile for profile in profiles if profile is not None]
        if len(known) == len(profiles) and not family.placeable(known):
            cut = ", ".join(f"{count} of {name}" for name, count in sorted(counts.items()))
            raise LayoutUnknown(f"GPU {index}: {family.name} cannot be cut into {cut}")
    return tuple(sorted(counts.items()))


def _plugin_text(replicas: Mapping[str, int]) -> str:
    config: dict[str, Any] = {"version": "v1", "flags": {"migStrategy": "mixed"}}
    if replicas:
        config["sharing"] = {
            "timeSlicing": {
                "renameByDefault": False,
                # Two replicas are not twice the compute: who asks for them is refused.
                "failRequestsGreaterThanOne": True,
                "resources": [
                    {"name": name, "replicas": number} for name, number in replicas.items()
                ],
            }
        }
    return _text(config)


def _text(config: Any) -> str:
    return yaml.safe_dump(config, sort_keys=False, default_flow_style=None)


def _named_after(text: str) -> str:
    """Return a name for a configuration: it is the value of a label too."""
    return _PREFIX + hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
