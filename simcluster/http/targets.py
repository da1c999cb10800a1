"""What a request is about: its path and method, read as Kubernetes reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simcluster import errors
from simcluster.objects import kinds
from simcluster.objects.kinds import Kind
from simcluster.rules.rbac import Request

TRUE: Final = frozenset({"1", "true", "True"})
_VERBS: Final = {
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A resource, an object or one of its subresources, and the verb."""

    verb: str
    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def as_request(self) -> Request:
        """Return the question to put to RBAC.  A namespace lies in itself."""
        return Request(
            self.verb,
            self.kind.group,
            self.kind.plural,
            self.subresource,
            self.name if self.kind is kinds.NAMESPACE else self.namespace,
            self.name,
        )


def read(method: str, path: str, query: Mapping[str, str]) -> Target:
    """Return the target of a request under ``/api`` or ``/apis``, or raise 404 or 405."""
    group, parts = _split(path)
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in {"status", "finalize"}:  # noqa: PLR2004
        namespace, parts = parts[1], parts[2:]
    kind = kinds.by_resource(group, parts[0])
    if kind is None or (namespace and not kind.namespaced):
        raise errors.unknown_resource()
    name, subresource = (*parts[1:], "", "")[:2]
    if subresource and subresource not in kind.subresources:
        raise errors.unknown_resource()
    return Target(_verb(method, name, query), kind, namespace, name, subresource)


def _split(path: str) -> tuple[str, list[str]]:
    """Return the API group of a path and what follows group and version."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2 and parts[1] == "v1":  # noqa: PLR2004
        return "", parts[2:]
    if parts[0] == "apis" and len(parts) > 3 and parts[2] == "v1":  # noqa: PLR2004
        return parts[1], parts[3:]
    raise errors.unknown_resource()


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method in {"GET", "HEAD"}:
        if query.get("watch") in TRUE:
            return "watch"
        return "get" if name else "list"
    if method == "DELETE" and not name:
        return "deletecollection"
    if method not in _VERBS:
        raise errors.ApiError(405, "MethodNotAllowed", "the server does not allow this method")
    return _VERBS[method]
