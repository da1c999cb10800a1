"""What the API refuses to store, as far as our kinds can get it wrong."""

import re
from collections.abc import Iterator
from typing import Final

from simcluster import errors
from simcluster.errors import ApiError
from simcluster.objects import Object, kinds, labels_of, name_of, pods
from simcluster.objects.kinds import Kind
from simcluster.rules import quota

_LABEL_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED: Final = re.compile(
    r"(?:([a-z0-9.-]{1,253})/)?([A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)"
)
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_NAMED_BY_LABEL: Final = frozenset({"Namespace", "Service"})
LABEL_CHARS: Final = 63
SUBDOMAIN_CHARS: Final = 253

# Fields that may not change once the object exists.
_IMMUTABLE: Final = {
    "ClusterRoleBinding": ("roleRef",),
    "Deployment": ("spec", "selector"),
    "ReplicaSet": ("spec", "selector"),
    "RoleBinding": ("roleRef",),
    "Secret": ("type",),
    "StatefulSet": ("spec", "selector"),
}
_FIXED_CLAIM_FIELDS: Final = ("accessModes", "storageClassName", "volumeMode", "selector")
_FIXED_POD_FIELDS: Final = ("nodeName", "serviceAccountName", "volumes", "restartPolicy")


def check(kind: Kind, obj: Object) -> None:
    """Raise 400 or 422 unless the object could be stored."""
    for field, why in _problems(kind, obj):
        raise errors.invalid(kind.name, kind.group, name_of(obj), field, why)


def check_change(kind: Kind, old: Object, new: Object) -> None:
    """Raise 422 when an update touches what is fixed."""
    check(kind, new)
    path = _IMMUTABLE.get(kind.name)
    if path and _at(old, path) != _at(new, path):
        why = f"Invalid value: {_at(new, path)}: field is immutable"
        raise errors.invalid(kind.name, kind.group, name_of(new), ".".join(path), why)
    if kind is kinds.CLAIM:
        _check_fixed(kind, old, new, _FIXED_CLAIM_FIELDS)
    if kind is kinds.POD:
        _check_fixed(kind, old, new, _FIXED_POD_FIELDS)


def check_types(kind: Kind, obj: Object) -> None:
    """Raise 400 for values of a type that could not even be read."""
    metadata = obj.get("metadata") or {}
    mappings = [metadata.get("labels"), metadata.get("annotations")]
    if kind.name in {"ConfigMap", "Secret"}:
        mappings.append(obj.get("data"))
    for mapping in mappings:
        for key, value in (mapping or {}).items():
            if not isinstance(value, str):
                raise unreadable(kind, f"{key}: {value!r} is not a string")


def unreadable(kind: Kind, why: str) -> ApiError:
    """Return the refusal of a body that is no object of its kind."""
    return errors.bad_request(
        f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {why}'
    )


def _problems(kind: Kind, obj: Object) -> Iterator[tuple[str, str]]:
    yield from _name_problems(kind, name_of(obj))
    for key, value in labels_of(obj).items():
        if not _QUALIFIED.fullmatch(key):
            yield "metadata.labels", f'Invalid value: "{key}": name part must be a qualified name'
        if not _LABEL_VALUE.fullmatch(value):
            yield (
                "metadata.labels",
                f'Invalid value: "{value}": a valid label must be an empty string or consist of '
                "alphanumeric characters, '-', '_' or '.'",
            )
    spec = obj.get("spec") or {}
    if kind is kinds.POD:
        yield from _pod_problems(obj, "spec")
    elif kind in {kinds.DEPLOYMENT, kinds.REPLICA_SET, kinds.STATEFUL_SET}:
        yield from _workload_problems(spec)
    elif kind is kinds.RESOURCE_QUOTA:
        for key in quota.unknown_keys(obj):
            yield (
                f"spec.hard[{key}]",
                f'Invalid value: "{key}": must be a standard resource for quota',
            )


def _name_problems(kind: Kind, name: str) -> Iterator[tuple[str, str]]:
    if kind.group == "rbac.authorization.k8s.io":
        return
    pattern, longest, rule = _SUBDOMAIN, SUBDOMAIN_CHARS, "a lowercase RFC 1123 subdomain"
    if kind.name in _NAMED_BY_LABEL:
        pattern, longest, rule = _LABEL_NAME, LABEL_CHARS, "a lowercase RFC 1123 label"
    if not pattern.fullmatch(name):
        yield (
            "metadata.name",
            f'Invalid value: "{name}": {rule} must consist of lower case alphanumeric characters '
            "or '-', and must start and end with an alphanumeric character",
        )
    elif len(name) > longest:
        yield "metadata.name", f'Invalid value: "{name}": must be no more than {longest} characters'


def _workload_problems(spec: Object) -> Iterator[tuple[str, str]]:
    selector = spec.get("selector")
    template = spec.get("template") or {}
    if not selector:
        yield "spec.selector", "Required value"
        return
    wanted: dict[str, str] = selector.get("matchLabels") or {}
    carried: dict[str, str] = (template.get("metadata") or {}).get("labels") or {}
    if not wanted.items() <= carried.items():
        yield (
            "spec.template.metadata.labels",
            f"Invalid value: {carried}: `selector` does not match template `labels`",
        )
    yield from _pod_problems(template, "spec.template.spec")


def _pod_problems(pod: Object, field: str) -> Iterator[tuple[str, str]]:
    if not (pod.get("spec") or {}).get("containers"):
        yield f"{field}.containers", "Required value"
    for list_name, container in pods.containers(pod):
        place = f"{field}.{list_name}[{container.get('name', '')}]"
        if not container.get("name"):
            yield f"{place}.name", "Required value"
        if not container.get("image"):
            yield f"{place}.image", "Required value"
        yield from _resource_problems(container, f"{place}.resources")


def _resource_problems(container: Object, field: str) -> Iterator[tuple[str, str]]:
    requests, limits = pods.amounts(container, "requests"), pods.amounts(container, "limits")
    for name, amount in requests.items():
        limit = limits.get(name)
        if limit is None and "/" in name:
            yield (
                f"{field}.limits",
                "Required value: Limit must be set for non overcommitable resources",
            )
        elif limit is not None and "/" in name and amount.amount != limit.amount:
            yield (
                f"{field}.requests",
                f'Invalid value: "{amount}": must be equal to {name} limit of {limit}',
            )
        elif limit is not None and amount.amount > limit.amount:
            yield (
                f"{field}.requests",
                f'Invalid value: "{amount}": must be less than or equal to {name} limit of {limit}',
            )
        if "/" in name and amount.amount.denominator != 1:
            yield f"{field}.requests", f'Invalid value: "{amount}": must be an integer'


def _check_fixed(kind: Kind, old: Object, new: Object, fields: tuple[str, ...]) -> None:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    for field in fields:
        if before.get(field) != after.get(field):
            why = "Forbidden: spec is immutable after creation"
            raise errors.invalid(kind.name, kind.group, name_of(new), f"spec.{field}", why)


def _at(obj: Object, path: tuple[str, ...]) -> object:
    value: object = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
