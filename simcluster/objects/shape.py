"""The parts of the API's schema that decide how two versions of an object are merged.

A list is atomic (replaced as a whole) unless its items have keys; a mapping is merged field by
field unless it is atomic.  Paths here are field names alone; the items of a list add nothing.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Names: TypeAlias = tuple[str, ...]

_KEYS: Final[Mapping[str, Names]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "matchConditions": ("name",),
    "ownerReferences": ("uid",),
    "resourceClaims": ("name",),
    "secrets": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "variables": ("name",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
# The same field name can mean different lists: the longest ending of the path decides.
_KEYS_BY_ENDING: Final[Mapping[Names, Names]] = {
    ("containers", "ports"): ("containerPort", "protocol"),
    ("initContainers", "ports"): ("containerPort", "protocol"),
    ("spec", "ports"): ("port", "protocol"),
    ("resources", "claims"): ("name",),
    ("status", "addresses"): ("type",),
}
# Strategic merge patches know a port by its number alone.
_STRATEGIC_PORT_KEYS: Final = frozenset({"containerPort", "port"})
_DEFAULTS: Final = {"protocol": "TCP"}
_SETS: Final = frozenset({("metadata", "finalizers")})
_ATOMIC_MAPPINGS: Final = frozenset(
    {
        "configMapKeyRef",
        "fieldRef",
        "namespaceSelector",
        "nodeSelector",
        "podSelector",
        "resourceFieldRef",
        "roleRef",
        "scopeSelector",
        "secretKeyRef",
        "selector",
    }
)


def keys_of_list(names: Names) -> Names:
    """Return the fields that identify an item of the list at ``names``; empty: it is atomic."""
    if names == ("imagePullSecrets",):  # of a ServiceAccount; that of a pod has keys
        return ()
    return _KEYS_BY_ENDING.get(names[-2:]) or _KEYS.get(names[-1], ()) if names else ()


def strategic_key(names: Names) -> str:
    """Return the one field by which a strategic merge patch knows items; empty: it is atomic."""
    keys = keys_of_list(names)
    if not keys or names[-1] == "topologySpreadConstraints":
        return keys[0] if keys else ""
    return next((key for key in keys if key in _STRATEGIC_PORT_KEYS), keys[0])


def is_set(names: Names) -> bool:
    """Return whether the list at ``names`` is a set of plain values."""
    return names in _SETS


def is_atomic_mapping(names: Names) -> bool:
    """Return whether the mapping at ``names`` is replaced as a whole."""
    return bool(names) and names[-1] in _ATOMIC_MAPPINGS


def item_key(item: Mapping[str, Any], keys: Names) -> str:
    """Return an item's identity as managedFields write it: ``k:{"name":"web"}``."""
    identity = {key: item.get(key, _DEFAULTS.get(key)) for key in keys}
    return "k:" + json.dumps(identity, separators=(",", ":"))


def value_key(value: object) -> str:
    """Return the identity of a plain value in a set: ``v:"kubernetes"``."""
    return "v:" + json.dumps(value, separators=(",", ":"))
