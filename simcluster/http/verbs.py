"""The verbs on stored objects, from query and body to an answer's status and body."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simcluster import deletion, errors
from simcluster.bodies import check_body
from simcluster.cluster import Cluster
from simcluster.http import reviews
from simcluster.http.paging import Pages
from simcluster.http.targets import TRUE, Target
from simcluster.objects import Object, labels_of, name_of, patches, selectors, uid_of
from simcluster.objects.selectors import ObjectTest
from simcluster.registry import Call
from simcluster.rules.rbac import Request, User

APPLY: Final = "application/apply-patch+yaml"
PATCHES: Final[Mapping[str, Callable[[Object, Any], Any]]] = {
    "application/json-patch+json": patches.json_patched,
    "application/merge-patch+json": patches.merged,
    "application/strategic-merge-patch+json": patches.strategically_merged,
}
OK: Final = 200
CREATED: Final = 201


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, read: what it is about, who asks, and what it says."""

    target: Target
    user: User
    query: Mapping[str, str]
    body: Any
    content_type: str
    agent: str

    @property
    def call(self) -> Call:
        manager = self.query.get("fieldManager") or self.agent.partition("/")[0] or "unknown"
        return Call(self.user, manager, dry_run="dryRun" in self.query)


class Verbs:
    """Answers requests for one cluster."""

    def __init__(self, cluster: Cluster, pages: Pages) -> None:
        self._cluster = cluster
        self._registry = cluster.registry
        self._pages = pages

    def answer(self, asked: Asked) -> tuple[int, Object]:
        """Return the status and body of the answer, or raise an `ApiError`."""
        if asked.target.verb == "patch" and asked.content_type == APPLY:
            return self._apply(asked)
        answers: dict[str, Callable[[Asked], Object]] = {
            "get": lambda asked: self._get(asked.target),
            "list": self._list,
            "create": self._create,
            "update": lambda asked: self._replace(asked, asked.body),
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_all,
        }
        body = answers[asked.target.verb](asked)
        return (CREATED if asked.target.verb == "create" else OK), body

    def _get(self, target: Target) -> Object:
        obj = self._registry.get(target.kind, target.namespace, target.name)
        return scale_of(obj) if target.subresource == "scale" else obj

    def _list(self, asked: Asked) -> Object:
        limit = int(asked.query.get("limit") or 0)
        if token := asked.query.get("continue"):
            return self._pages.following(asked.target.kind, token, limit)
        store = self._cluster.store
        return self._pages.first(asked.target.kind, self._selected(asked), store.version, limit)

    def _selected(self, asked: Asked) -> list[Object]:
        matches = test_of(asked.target, asked.query)
        found = self._cluster.store.every(asked.target.kind, asked.target.namespace)
        return [obj for obj in found if matches(obj)]

    def _create(self, asked: Asked) -> Object:
        target = asked.target
        if target.subresource == "token":
            account = self._registry.get(target.kind, target.namespace, target.name)
            return reviews.token(self._cluster.access, account, asked.body or {})
        if target.subresource == "eviction":
            self._delete(asked)
            return success(target, None)
        if target.name:
            raise errors.ApiError(405, "MethodNotAllowed", "create names no object in its path")
        if target.kind.namespaced and not target.namespace:
            raise errors.bad_request("an empty namespace may not be set during creation")
        body = check_body(target.kind, target.namespace, asked.body)
        return self._registry.create(target.kind, target.namespace, body, asked.call)

    def _patch(self, asked: Asked) -> Object:
        """Patch what is there now.  A patch assumes nothing, unless it names a version."""
        old = self._get(asked.target)
        if asked.content_type not in PATCHES:
            raise errors.ApiError(
                415,
                "UnsupportedMediaType",
                f"the body of the request was in an unknown format - {asked.content_type}",
            )
        new = PATCHES[asked.content_type](old, asked.body)
        return self._replace(asked, new)

    def _replace(self, asked: Asked, new: Any) -> Object:
        target = asked.target
        if target.subresource == "scale":
            old = self._registry.get(target.kind, target.namespace, target.name)
            replicas = (new.get("spec") or {}).get("replicas", 0)
            scaled = {**old, "spec": {**old["spec"], "replicas": replicas}}
            return scale_of(
                self._registry.update(target.kind, target.namespace, scaled, asked.call)
            )
        body = _named(target, check_body(target.kind, target.namespace, new))
        return self._registry.update(
            target.kind, target.namespace, body, asked.call, subresource=target.subresource
        )

    def _apply(self, asked: Asked) -> tuple[int, Object]:
        target, manager = asked.target, asked.query.get("fieldManager")
        if not manager:
            raise errors.invalid(
                "PatchOptions",
                "meta.k8s.io",
                "",
                "fieldManager",
                "Required value: is required for apply patch",
            )
        body = check_body(target.kind, target.namespace, asked.body)
        if body["metadata"].get("managedFields") is not None:
            raise errors.bad_request("metadata.managedFields must be nil")
        body = _named(target, body)
        known = self._cluster.store.get(target.kind, target.namespace, target.name)
        if known is None:
            if target.subresource:
                raise errors.not_found(target.kind.plural, target.kind.group, target.name)
            self._check_may_create(asked)
        obj = self._registry.apply(
            target.kind,
            target.namespace,
            body,
            asked.call,
            force=asked.query.get("force") in TRUE,
            subresource=target.subresource,
        )
        return (CREATED if known is None else OK), obj

    def _check_may_create(self, asked: Asked) -> None:
        kind = asked.target.kind
        request = Request("create", kind.group, kind.plural, "", asked.target.namespace)
        self._cluster.access.check(asked.user, request)

    def _delete(self, asked: Asked) -> Object:
        target = asked.target
        obj = self._registry.get(target.kind, target.namespace, target.name)
        left = deletion.delete(
            self._registry, target.kind, obj, _options(asked), self._cluster.clock()
        )
        return left if left is not None else success(target, obj)

    def _delete_all(self, asked: Asked) -> Object:
        going = self._selected(asked)
        for obj in going:
            deletion.delete(
                self._registry, asked.target.kind, obj, _options(asked), self._cluster.clock()
            )
        return self._pages.first(asked.target.kind, going, self._cluster.store.version, 0)


def test_of(target: Target, query: Mapping[str, str]) -> ObjectTest:
    """Return the test of the selectors in a query, and of the name if the path has one."""
    label_test = selectors.labels(query.get("labelSelector", ""))
    field_test = selectors.fields(query.get("fieldSelector", ""), target.kind)
    return lambda obj: (
        label_test(labels_of(obj)) and field_test(obj) and target.name in {"", name_of(obj)}
    )


def success(target: Target, obj: Object | None) -> Object:
    """Return the Status that says it is done."""
    details = {"name": target.name, "kind": target.kind.plural}
    if target.kind.group:
        details["group"] = target.kind.group
    if obj is not None:
        details["uid"] = uid_of(obj)
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def scale_of(obj: Object) -> Object:
    """Return the scale subresource of a workload."""
    metadata = {
        key: obj["metadata"][key]
        for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    wanted = (obj["spec"]["selector"].get("matchLabels") or {}).items()
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": obj["spec"]["replicas"]},
        "status": {
            "replicas": (obj.get("status") or {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in wanted),
        },
    }


def _named(target: Target, body: Object) -> Object:
    said = body["metadata"].get("name", target.name)
    if said != target.name:
        raise errors.bad_request(
            f"the name of the object ({said}) does not match the name on the URL ({target.name})"
        )
    return {**body, "metadata": {**body["metadata"], "name": target.name}}


def _options(asked: Asked) -> deletion.Options:
    body = asked.body if isinstance(asked.body, dict) else {}
    if asked.target.subresource == "eviction":
        body = body.get("deleteOptions") or {}
    return deletion.options_from(body, dict(asked.query))
