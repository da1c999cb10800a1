"""ResourceQuota: what an object is charged, what a namespace has used, and what is too much.

A quota counts from the moment it exists, by its spec; the real server takes the figures from its
status.  Quotas with scopes are stored and count nothing.
"""

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, TypeAlias

from simcluster.errors import qualified
from simcluster.objects import Object, kinds, name_of, pods, quantities
from simcluster.objects.kinds import Kind
from simcluster.objects.quantities import ZERO, Quantity

Usage: TypeAlias = dict[str, Quantity]

ONE: Final = Quantity(Fraction(1))
STORAGE_CLASS_SUFFIX: Final = ".storageclass.storage.k8s.io/"
DEVICE_CLASS_SUFFIX: Final = ".deviceclass.resource.k8s.io/devices"
# Kinds that may be counted under their bare name; everything else is count/<resource>.<group>.
COUNTED_BY_NAME: Final = frozenset(
    {"configmaps", "persistentvolumeclaims", "resourcequotas", "secrets", "services"}
)
STANDARD_KEYS: Final = COUNTED_BY_NAME | {
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "services.loadbalancers",
    "services.nodeports",
}
# With one of these in a quota, every container has to state it.
STATED_KEYS: Final = frozenset(
    {"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
)
_COUNT: Final = re.compile(r"count/[a-z0-9.-]+")


def is_counted(key: str) -> bool:
    """Return whether a key of a quota is enforced, rather than stored and ignored."""
    extended = key.startswith("requests.") and "/" in key
    return (
        key in STANDARD_KEYS
        or extended
        or STORAGE_CLASS_SUFFIX in key
        or key.endswith(DEVICE_CLASS_SUFFIX)
        or bool(_COUNT.fullmatch(key))
    )


def unknown_keys(quota: Object) -> list[str]:
    """Return the keys the API refuses: neither standard nor with a domain."""
    return [key for key in hard(quota) if "/" not in key and key not in STANDARD_KEYS]


def hard(quota: Object) -> Usage:
    """Return the limits of a quota."""
    listed = (quota.get("spec") or {}).get("hard") or {}
    return {key: quantities.parse(amount) for key, amount in listed.items()}


def counts(quota: Object) -> bool:
    """Return whether this server enforces the quota."""
    spec = quota.get("spec") or {}
    return not spec.get("scopes") and not spec.get("scopeSelector")


def charge(kind: Kind, obj: Object) -> Usage:
    """Return everything an object is charged, under every key a quota could name."""
    usage: Usage = {f"count/{qualified(kind.plural, kind.group)}": ONE}
    if not kind.group and kind.plural in COUNTED_BY_NAME:
        usage[kind.plural] = ONE
    if kind is kinds.POD and not pods.is_finished(obj):
        usage |= _pod_charge(obj)
    elif kind is kinds.CLAIM:
        usage |= _claim_charge(obj)
    elif kind.name == "Service":
        usage |= _service_charge(obj)
    return usage


def used(objects: Iterable[tuple[Kind, Object]]) -> Usage:
    """Return what the objects of a namespace are charged together."""
    together: Usage = {}
    for kind, obj in objects:
        for key, amount in charge(kind, obj).items():
            together[key] = together.get(key, ZERO) + amount
    return together


def increase(before: Usage, after: Usage) -> Usage:
    """Return what ``after`` charges beyond ``before``."""
    grown = {
        key: Quantity(amount.amount - before.get(key, ZERO).amount, amount.is_binary)
        for key, amount in after.items()
    }
    return {key: amount for key, amount in grown.items() if amount.amount > 0}


def status(quota: Object, usage: Usage) -> Object:
    """Return the status the quota controller writes."""
    spec = (quota.get("spec") or {}).get("hard") or {}
    counted = {key: str(usage.get(key, ZERO)) for key in spec if is_counted(key)}
    return {"hard": dict(spec), "used": counted}


def objection(quota: Object, usage: Usage, more: Usage) -> str:
    """Return why ``more`` does not fit beside ``usage``; empty when it does."""
    limits = {key: limit for key, limit in hard(quota).items() if is_counted(key)}
    exceeded = [
        key
        for key in sorted(limits.keys() & more.keys())
        if usage.get(key, ZERO).amount + more[key].amount > limits[key].amount
    ]
    if not exceeded:
        return ""
    return (
        f"exceeded quota: {name_of(quota)}, "
        f"requested: {_listed({key: more[key] for key in exceeded})}, "
        f"used: {_listed({key: usage.get(key, ZERO) for key in exceeded})}, "
        f"limited: {_listed({key: limits[key] for key in exceeded})}"
    )


def unstated(quota: Object, pod: Object) -> str:
    """Return which of the quota's keys some containers do not state; empty when all do."""
    missing = []
    for key in sorted(hard(quota).keys() & STATED_KEYS):
        part, _, resource = key.rpartition(".")
        names = sorted(
            container["name"]
            for _, container in pods.containers(pod)
            if resource not in pods.amounts(container, part or "requests")
        )
        if names:
            missing.append(f"{key} for: {','.join(names)}")
    return f"failed quota: {name_of(quota)}: must specify {'; '.join(missing)}" if missing else ""


def _pod_charge(pod: Object) -> Usage:
    usage: Usage = {"pods": ONE}
    for resource, amount in pods.asked(pod, "requests").items():
        usage[f"requests.{resource}"] = amount
        if resource in pods.NATIVE_RESOURCES:
            usage[resource] = amount
    for resource, amount in pods.asked(pod, "limits").items():
        if resource in pods.NATIVE_RESOURCES:
            usage[f"limits.{resource}"] = amount
    return usage


def _claim_charge(claim: Object) -> Usage:
    spec = claim.get("spec") or {}
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "0")
    usage = {"requests.storage": quantities.parse(asked)}
    if storage_class := spec.get("storageClassName"):
        prefix = storage_class + STORAGE_CLASS_SUFFIX
        usage[f"{prefix}requests.storage"] = usage["requests.storage"]
        usage[f"{prefix}persistentvolumeclaims"] = ONE
    return usage


def _service_charge(service: Object) -> Usage:
    kind = (service.get("spec") or {}).get("type")
    ports = Quantity(Fraction(len((service.get("spec") or {}).get("ports") or [])))
    if kind == "LoadBalancer":
        return {"services.loadbalancers": ONE, "services.nodeports": ports}
    return {"services.nodeports": ports} if kind == "NodePort" else {}


def _listed(usage: Usage) -> str:
    return ",".join(f"{key}={amount}" for key, amount in sorted(usage.items()))
