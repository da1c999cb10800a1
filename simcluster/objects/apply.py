"""Server-side apply: what the object becomes, before defaults are filled in."""

import copy
from typing import Any

from simcluster.errors import ApiError, qualified
from simcluster.objects import Object, managers, ownership, shape
from simcluster.objects.managers import Conflict, Manager, Share
from simcluster.objects.ownership import Paths
from simcluster.objects.shape import Names


def result(live: Object, applied: Object, *, dropped: Paths) -> Object:
    """Return ``live`` with the fields of ``applied`` true and the ``dropped`` ones gone."""
    outcome: Object = combined(live, without_nulls(applied))
    # Parents before children: an item that goes is found by the key among its own fields.
    for path in sorted(dropped, key=len):
        if not ownership.is_key(path):
            outcome = ownership.without(outcome, path)
    return outcome


def dropped(shares: list[Share], manager: Manager, applied: Paths) -> Paths:
    """Return what ``manager`` applied before, leaves out now, and nobody else needs."""
    gone = managers.applied_before(shares, manager) - applied
    others = managers.owned_by_others(shares, manager)
    # Who owns a field inside an item, or a mapping that was empty, needs what is around it.
    needed = {path[:length] for path in others | applied for length in range(1, len(path) + 1)}
    return gone - needed


def refused(plural: str, group: str, name: str, found: list[Conflict]) -> ApiError:
    """Return the 409 that names every field in conflict and its owner."""
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{conflict.manager.name}"'
            + ("" if conflict.manager.operation == managers.APPLY else " using v1"),
            "field": ownership.describe(conflict.path),
        }
        for conflict in found
    ]
    listed = "; ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    plural_s = "" if len(causes) == 1 else "s"
    return ApiError(
        409,
        "Conflict",
        f"Apply failed with {len(causes)} conflict{plural_s}: {listed}",
        details={"name": name, "kind": qualified(plural, group), "causes": causes},
    )


def without_nulls(value: Any) -> Any:
    """Return a copy in which fields that say null are not there."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def combined(live: Any, applied: Any, names: Names = ()) -> Any:
    """Return both merged as the schema says: fields, keyed items and sets; the rest is replaced."""
    if isinstance(live, dict) and isinstance(applied, dict) and not shape.is_atomic_mapping(names):
        merged = dict(live)
        for key, value in applied.items():
            merged[key] = combined(live.get(key), value, (*names, key))
        return merged
    if isinstance(live, list) and isinstance(applied, list):
        if keys := shape.keys_of_list(names):
            return _combined_items(live, applied, keys, names)
        if shape.is_set(names):
            return live + [value for value in applied if value not in live]
    return copy.deepcopy(applied)


def _combined_items(live: list[Any], applied: list[Any], keys: Names, names: Names) -> list[Any]:
    items = {shape.item_key(item, keys): item for item in live}
    for item in applied:
        identity = shape.item_key(item, keys)
        known = items.get(identity)
        items[identity] = copy.deepcopy(item) if known is None else combined(known, item, names)
    return list(items.values())
