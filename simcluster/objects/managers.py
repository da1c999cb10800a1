"""metadata.managedFields: what each kind of write does to the owners of fields."""

from dataclasses import dataclass, replace
from typing import Final

from simcluster.objects import Object, ownership
from simcluster.objects.ownership import Paths

APPLY: Final = "Apply"
UPDATE: Final = "Update"


@dataclass(frozen=True, slots=True)
class Manager:
    """One way of writing an object: by whom, how, and to which subresource."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """The fields one manager owns, and when that last changed."""

    manager: Manager
    paths: Paths
    changed_at: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that an apply would change and another manager owns."""

    manager: Manager
    path: ownership.Path


def of(obj: Object) -> list[Share]:
    """Return the shares written in an object's metadata."""
    return [
        Share(
            Manager(
                entry.get("manager", ""),
                entry["operation"],
                entry["apiVersion"],
                entry.get("subresource", ""),
            ),
            ownership.decode(entry.get("fieldsV1") or {}),
            entry.get("time", ""),
        )
        for entry in obj["metadata"].get("managedFields") or []
    ]


def written(shares: list[Share]) -> list[Object]:
    """Return shares as metadata.managedFields."""
    return [_entry(share) for share in shares if share.paths]


def applied_before(shares: list[Share], manager: Manager) -> Paths:
    """Return what ``manager`` applied the last time."""
    return next((share.paths for share in shares if share.manager == manager), frozenset())


def owned_by_others(shares: list[Share], manager: Manager) -> Paths:
    """Return every field that someone besides ``manager`` owns."""
    return frozenset().union(*(share.paths for share in shares if share.manager != manager))


def conflicts(shares: list[Share], manager: Manager, changed: Paths) -> list[Conflict]:
    """Return the changed fields that someone else owns, in a stable order."""
    return [
        Conflict(share.manager, path)
        for share in shares
        if share.manager != manager
        for path in sorted(share.paths & changed)
    ]


def after_apply(
    shares: list[Share], manager: Manager, applied: Paths, changed: Paths, now: str
) -> list[Share]:
    """Return the shares once ``manager`` has applied exactly ``applied``."""
    others = _reduced([share for share in shares if share.manager != manager], changed)
    mine = next((share for share in shares if share.manager == manager), None)
    if mine is None or mine.paths != applied:
        mine = Share(manager, applied, now)
    return [mine, *others]


def after_update(
    shares: list[Share], manager: Manager, changed: Paths, removed: Paths, now: str
) -> list[Share]:
    """Return the shares once ``manager`` has written an object in any other way."""
    others = _reduced([share for share in shares if share.manager != manager], changed | removed)
    before = applied_before(shares, manager)
    after = (before | changed) - removed
    mine = [share for share in shares if share.manager == manager]
    if after != before:
        mine = [Share(manager, after, now)]
    return [*others, *mine]


def _reduced(shares: list[Share], lost: Paths) -> list[Share]:
    return [replace(share, paths=share.paths - lost) for share in shares]


def _entry(share: Share) -> Object:
    entry: Object = {
        "manager": share.manager.name,
        "operation": share.manager.operation,
        "apiVersion": share.manager.api_version,
        "time": share.changed_at,
        "fieldsType": "FieldsV1",
        "fieldsV1": ownership.encode(share.paths),
    }
    if share.manager.subresource:
        entry["subresource"] = share.manager.subresource
    return entry
