"""The bodies of requests: whether they are of the right kind and place, and what they may touch."""

import secrets
from typing import Final

from simcluster import errors, validation
from simcluster.objects import Object, kinds
from simcluster.objects.kinds import Kind

NAME_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
# What a client may send in metadata and the server keeps as it is.
SERVER_METADATA: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "uid",
)


def is_held(kind: Kind, obj: Object) -> bool:
    """Return whether a deleted object has to stay: finalizers, a grace period, contents."""
    if obj["metadata"].get("finalizers") or obj["metadata"].get("deletionGracePeriodSeconds"):
        return True
    return kind is kinds.NAMESPACE and bool((obj.get("spec") or {}).get("finalizers"))


def check_body(kind: Kind, namespace: str, body: Object) -> Object:
    """Return the body, or raise 400 when it is not an object of this kind and place."""
    if not isinstance(body, dict):
        raise validation.unreadable(kind, "json: cannot unmarshal into an object")
    said = (body.get("apiVersion", kind.api_version), body.get("kind", kind.name))
    if said != (kind.api_version, kind.name):
        raise errors.bad_request(
            f"the API version and kind in the data ({said[0]}, {said[1]}) do not match the "
            f"expected ones ({kind.api_version}, {kind.name})"
        )
    metadata = body.get("metadata") or {}
    if kind.namespaced and metadata.get("namespace", namespace) != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return {**body, "apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


def chosen_name(kind: Kind, body: Object) -> str:
    """Return the name a new object is to have, or raise 422 when nothing says one."""
    metadata = body.get("metadata") or {}
    if metadata.get("name"):
        return str(metadata["name"])
    if not metadata.get("generateName"):
        raise errors.invalid(
            kind.name,
            kind.group,
            "",
            "metadata.name",
            "Required value: name or generateName is required",
        )
    return str(metadata["generateName"]) + suffix()


def suffix() -> str:
    """Return the five letters that make a generated name unique."""
    return "".join(secrets.choice(NAME_LETTERS) for _ in range(5))


def composed(kind: Kind, old: Object, body: Object, subresource: str) -> Object:
    """Return ``old`` with the part of ``body`` that this way of writing may touch."""
    if subresource == "status":
        return {**old, "status": body.get("status") or {}}
    if subresource == "finalize":
        return {**old, "spec": body.get("spec") or {}}
    kept = {key: old["metadata"][key] for key in SERVER_METADATA if key in old["metadata"]}
    sent = {key: v for key, v in body.get("metadata", {}).items() if key not in SERVER_METADATA}
    new = {
        **body,
        "apiVersion": old["apiVersion"],
        "kind": old["kind"],
        "metadata": {**sent, **kept},
    }
    if kind.has_status and kind.name != "Node":
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    if kind is kinds.NAMESPACE:
        new["spec"] = old["spec"]
    if kind.name == "Service" and "clusterIP" in old["spec"]:
        fixed = {"clusterIP": old["spec"]["clusterIP"], "clusterIPs": old["spec"]["clusterIPs"]}
        new["spec"] = {**(new.get("spec") or {}), **fixed}
    return new
