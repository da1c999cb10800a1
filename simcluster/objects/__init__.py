"""What is true of every Kubernetes object, as functions of plain dictionaries."""

from typing import Any, TypeAlias

# An object in the API's JSON form.  Whatever the store holds is never changed in place.
Object: TypeAlias = dict[str, Any]


def name_of(obj: Object) -> str:
    """Return the object's name."""
    return str(obj["metadata"]["name"])


def namespace_of(obj: Object) -> str:
    """Return the namespace, empty for a cluster-scoped object."""
    return str(obj["metadata"].get("namespace", ""))


def uid_of(obj: Object) -> str:
    """Return what tells it from others that had or will have its name."""
    return str(obj["metadata"]["uid"])


def labels_of(obj: Object) -> dict[str, str]:
    """Return its labels, empty when it carries none."""
    return obj["metadata"].get("labels") or {}


def is_terminating(obj: Object) -> bool:
    """Return whether its deletion has been asked for."""
    return "deletionTimestamp" in obj["metadata"]


def is_owned_by(obj: Object, owner: Object) -> bool:
    """Return whether ``owner`` is named among the object's owner references."""
    owners = obj["metadata"].get("ownerReferences") or []
    return any(reference.get("uid") == uid_of(owner) for reference in owners)


def owner_reference(owner: Object) -> Object:
    """Return the reference a controller leaves in the objects it makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }
