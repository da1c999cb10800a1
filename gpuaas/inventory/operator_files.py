"""The GPU Operator's files, read as strictly as mig-parted and the device plugin do.  Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import yaml

FEWEST_REPLICAS: Final = 2
_PROFILE: Final = re.compile(r"([1-9]c\.)?[1-9]g\.[1-9][0-9]*gb([+-][a-z]+(\.[a-z]+)*)*")
_ENTRY_KEYS: Final = frozenset({"devices", "device-filter", "mig-enabled", "mig-devices"})

Entry: TypeAlias = dict[str, Any]


class ConfigRefused(ValueError):
    """The operator would refuse this configuration; says where and why."""


def read_mig_config(text: str) -> dict[str, list[Entry]]:
    """Return the layouts of a ``config.yaml`` by name.

    Raises:
        ConfigRefused: mig-parted would refuse it.
    """
    config = _mapping(_yaml(text), "the file")
    _check_version(config, is_required=True)
    _check_keys(config, frozenset({"version", "mig-configs"}), "the file")
    layouts = _mapping(config.get("mig-configs", {}), "mig-configs")
    if not layouts:
        raise ConfigRefused("mig-configs: at least one layout is needed")
    return {name: _entries(entries, f"mig-configs.{name}") for name, entries in layouts.items()}


def read_plugin_config(text: str) -> dict[str, int]:
    """Return the replicas by type of one key of the device plugin's ConfigMap.

    Raises:
        ConfigRefused: the device plugin would refuse it, or not do what it says.
    """
    config = _mapping(_yaml(text), "the file")
    _check_version(config, is_required=False)
    _check_keys(config, frozenset({"version", "flags", "sharing", "resources", "imex"}), "the file")
    sharing = _mapping(config.get("sharing") or {}, "sharing")
    if sharing.get("mps"):
        raise ConfigRefused("sharing.mps: not together with MIG slices on the same node")
    if "timeSlicing" not in sharing:
        return {}
    slicing = _mapping(sharing["timeSlicing"], "sharing.timeSlicing")
    resources = slicing.get("resources")
    if not isinstance(resources, list) or not resources:
        raise ConfigRefused("sharing.timeSlicing.resources: at least one is needed")
    found: dict[str, int] = {}
    for number, each in enumerate(resources):
        name, replicas = _resource(each, f"sharing.timeSlicing.resources[{number}]")
        if name in found:
            raise ConfigRefused(f"sharing.timeSlicing.resources[{number}]: {name} is there twice")
        found[name] = replicas
    return found


def _resource(each: Any, path: str) -> tuple[str, int]:
    resource = _mapping(each, path)
    for ignored in ("rename", "devices"):
        if ignored in resource:
            raise ConfigRefused(f"{path}.{ignored}: the plugin ignores it, for every resource")
    name, replicas = resource.get("name"), resource.get("replicas")
    if not isinstance(name, str) or not name:
        raise ConfigRefused(f"{path}.name: a resource name is needed")
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < FEWEST_REPLICAS:
        raise ConfigRefused(
            f"{path}.replicas: {FEWEST_REPLICAS} or more, not {replicas!r}; without the entry it"
            " is 1"
        )
    return name, replicas


def _entries(entries: Any, path: str) -> list[Entry]:
    if not isinstance(entries, list) or not entries:
        raise ConfigRefused(f"{path}: at least one entry is needed")
    for number, each in enumerate(entries):
        _check_entry(_mapping(each, f"{path}[{number}]"), f"{path}[{number}]")
    return entries


def _check_entry(entry: Entry, path: str) -> None:
    _check_keys(entry, _ENTRY_KEYS, path)
    for required in ("devices", "mig-enabled"):
        if required not in entry:
            raise ConfigRefused(f"{path}.{required}: is missing")
    devices, is_enabled = entry["devices"], entry["mig-enabled"]
    if devices != "all" and not (isinstance(devices, list) and all(map(_is_count, devices))):
        raise ConfigRefused(f"{path}.devices: 'all' or a list of GPU numbers, not {devices!r}")
    if not isinstance(is_enabled, bool):
        raise ConfigRefused(f"{path}.mig-enabled: true or false, not {is_enabled!r}")
    _check_cuts(entry.get("mig-devices"), path, is_enabled=is_enabled)


def _check_cuts(cuts: Any, path: str, *, is_enabled: bool) -> None:
    if is_enabled and cuts is None:
        raise ConfigRefused(f"{path}.mig-devices: is missing where MIG is on")
    if not is_enabled and cuts:
        raise ConfigRefused(f"{path}.mig-devices: not where MIG is off")
    for profile, count in _mapping(cuts or {}, f"{path}.mig-devices").items():
        if not _PROFILE.fullmatch(str(profile)):
            raise ConfigRefused(f"{path}.mig-devices: {profile!r} is no profile")
        if not _is_count(count) or count == 0:
            raise ConfigRefused(f"{path}.mig-devices.{profile}: 1 or more, not {count!r}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigRefused(f"the file: no YAML: {error}") from error


def _mapping(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigRefused(f"{path}: names with values are expected")
    return value


def _check_version(config: Mapping[str, Any], *, is_required: bool) -> None:
    version = config.get("version", None if is_required else "v1")
    if version != "v1":
        raise ConfigRefused(f"version: must be v1, not {version!r}")


def _check_keys(config: Mapping[str, Any], known: frozenset[str], path: str) -> None:
    for key in config:
        if key not in known:
            raise ConfigRefused(f"{path}: unknown key {key!r}")
