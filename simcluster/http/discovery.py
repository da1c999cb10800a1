"""Discovery: what is served, as clients ask before they ask for anything else."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from simcluster import errors
from simcluster.objects import Object, kinds
from simcluster.objects.kinds import Kind

VERSION: Final = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+simcluster",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
OBJECT_VERBS: Final = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)
SUBRESOURCE_VERBS: Final = {
    "status": ("get", "patch", "update"),
    "scale": ("get", "patch", "update"),
    "finalize": ("update",),
    "log": ("get",),
    "token": ("create",),
    "eviction": ("create",),
    "proxy": ("get",),
}
IN_ALL: Final = frozenset({"pods", "services", "deployments", "replicasets", "statefulsets"})
# Resources that are questions: they are answered and not stored.
REVIEWS: Final = {
    "authentication.k8s.io": {"selfsubjectreviews": ("SelfSubjectReview", False)},
    "authorization.k8s.io": {
        "localsubjectaccessreviews": ("LocalSubjectAccessReview", True),
        "selfsubjectaccessreviews": ("SelfSubjectAccessReview", False),
        "selfsubjectrulesreviews": ("SelfSubjectRulesReview", False),
        "subjectaccessreviews": ("SubjectAccessReview", False),
    },
}


def answer(path: str) -> Object | None:
    """Return the discovery document at ``path``; None when it is no discovery path."""
    place = path.strip("/")
    if place in _FIXED:
        return _FIXED[place]()
    match place.split("/"):
        case ["apis", group]:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(_known(group))}
        case ["apis", group, "v1"]:
            return _resources(_known(group))
        case ["openapi", "v3", *_]:
            return _schema(place.removeprefix("openapi/v3/"))
        case _:
            return None


def _versions() -> Object:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def _groups() -> Object:
    groups = [_group(name) for name in _group_names()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _schemas() -> Object:
    places = [f"api{_under(group)}" for group in ("", *_group_names())]
    return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in places}}


def _group_names() -> list[str]:
    served = {kind.group for kind in kinds.KINDS if kind.group} | REVIEWS.keys()
    return sorted(served)


def _known(group: str) -> str:
    if group not in _group_names():
        raise errors.unknown_resource()
    return group


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str) -> Object:
    resources: list[Object] = []
    for kind in kinds.KINDS:
        if kind.group == group:
            resources += _entries(kind)
    for plural, (name, namespaced) in REVIEWS.get(group, {}).items():
        resources.append(_entry(plural, name, ("create",), namespaced=namespaced))
    version = f"{group}/v1" if group else "v1"
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": resources,
    }


def _entries(kind: Kind) -> Iterator[Object]:
    entry = _entry(kind.plural, kind.name, OBJECT_VERBS, namespaced=kind.namespaced)
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.plural in IN_ALL:
        entry["categories"] = ["all"]
    yield entry
    for subresource in sorted(kind.subresources):
        verbs = SUBRESOURCE_VERBS[subresource]
        place = f"{kind.plural}/{subresource}"
        if subresource == "scale":
            scale = _entry(place, "Scale", verbs, namespaced=True)
            yield {**scale, "group": "autoscaling", "version": "v1"}
        else:
            yield _entry(place, kind.name, verbs, namespaced=kind.namespaced)


def _entry(plural: str, kind: str, verbs: tuple[str, ...], *, namespaced: bool) -> Object:
    return {
        "name": plural,
        "singularName": "" if "/" in plural else kind.lower(),
        "namespaced": namespaced,
        "kind": kind,
        "verbs": list(verbs),
    }


def _under(group: str) -> str:
    return f"s/{group}/v1" if group else "/v1"


def _schema(place: str) -> Object:
    """Return the little of the OpenAPI document that kubectl reads before it writes.

    It says of every kind that the server validates and can run dry, so that kubectl neither
    validates by a schema (there is none) nor refuses ``--dry-run=server``.
    """
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force")
    ]
    paths: dict[str, Any] = {}
    for kind in kinds.KINDS:
        if f"api{_under(kind.group)}" == place:
            meaning = {"group": kind.group, "version": kind.version, "kind": kind.name}
            base = f"/{place}/namespaces/{{namespace}}" if kind.namespaced else f"/{place}"
            paths[f"{base}/{kind.plural}/{{name}}"] = {
                "patch": {
                    "parameters": parameters,
                    "x-kubernetes-action": "patch",
                    "x-kubernetes-group-version-kind": meaning,
                    "responses": {"200": {"description": "OK"}},
                }
            }
    info = {"title": "simcluster", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}


_FIXED: Final[dict[str, Callable[[], Object]]] = {
    "version": lambda: dict(VERSION),
    "api": _versions,
    "apis": _groups,
    "api/v1": lambda: _resources(""),
    "openapi/v3": _schemas,
}
