"""LimitRange: defaults for containers that state no limits, and bounds for what they state."""

from collections.abc import Iterator

from simcluster.objects import Object, pods, quantities
from simcluster.objects.quantities import Quantity


def with_defaults(pod: Object, limit_ranges: list[Object]) -> Object:
    """Return the pod with each container's missing requests and limits filled in."""
    for limit_range in limit_ranges:
        for item in _items(limit_range, "Container"):
            pod = _filled(pod, item)
    return pod


def objections(pod: Object, limit_ranges: list[Object]) -> list[str]:
    """Return why a pod is outside the limits; empty when it is inside."""
    found: list[str] = []
    for limit_range in limit_ranges:
        for item in _items(limit_range, "Container"):
            for _, container in pods.containers(pod):
                requests = pods.amounts(container, "requests")
                found += _outside(item, requests, pods.amounts(container, "limits"))
        for item in _items(limit_range, "Pod"):
            found += _outside(item, pods.asked(pod, "requests"), pods.asked(pod, "limits"))
    return found


def claim_objections(claim: Object, limit_ranges: list[Object]) -> list[str]:
    """Return why a PersistentVolumeClaim asks for too little or too much storage."""
    resources = (claim.get("spec") or {}).get("resources") or {}
    asked = {
        name: quantities.parse(amount) for name, amount in (resources.get("requests") or {}).items()
    }
    found: list[str] = []
    for limit_range in limit_ranges:
        for item in _items(limit_range, "PersistentVolumeClaim"):
            found += _below(item, asked)
            found += _above(item, asked, "request")
    return found


def _items(limit_range: Object, kind: str) -> Iterator[Object]:
    for item in (limit_range.get("spec") or {}).get("limits") or []:
        if item.get("type") == kind:
            yield item


def _filled(pod: Object, item: Object) -> Object:
    spec = dict(pod["spec"])
    for field in ("initContainers", "containers"):
        if spec.get(field):
            spec[field] = [_with_resources(container, item) for container in spec[field]]
    return {**pod, "spec": spec}


def _with_resources(container: Object, item: Object) -> Object:
    resources = dict(container.get("resources") or {})
    for part, source in (("limits", "default"), ("requests", "defaultRequest")):
        together = {**(item.get(source) or {}), **(resources.get(part) or {})}
        if together:
            resources[part] = together
    return {**container, "resources": resources}


def _outside(item: Object, requests: dict[str, Quantity], limits: dict[str, Quantity]) -> list[str]:
    return _below(item, requests) + _above(item, limits, "limit")


def _below(item: Object, asked: dict[str, Quantity]) -> list[str]:
    found = []
    for name, least in sorted((item.get("min") or {}).items()):
        bound = f"minimum {name} usage per {item['type']} is {least}"
        if name not in asked:
            found.append(f"{bound}.  No request is specified")
        elif asked[name].amount < quantities.parse(least).amount:
            found.append(f"{bound}, but request is {asked[name]}")
    return found


def _above(item: Object, stated: dict[str, Quantity], what: str) -> list[str]:
    found = []
    for name, most in sorted((item.get("max") or {}).items()):
        bound = f"maximum {name} usage per {item['type']} is {most}"
        if name not in stated:
            found.append(f"{bound}.  No {what} is specified")
        elif stated[name].amount > quantities.parse(most).amount:
            found.append(f"{bound}, but {what} is {stated[name]}")
    return found
