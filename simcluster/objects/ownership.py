"""Who owns which field: the sets of paths behind metadata.managedFields.

A path is a tuple of the elements that FieldsV1 uses: ``f:name`` for a field, ``k:{...}`` for the
item of a keyed list, ``v:...`` for a value of a set.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from simcluster.objects import Object, shape
from simcluster.objects.shape import Names

Path: TypeAlias = tuple[str, ...]
Paths: TypeAlias = frozenset[Path]

# An item's own path carries no value: that the item exists is what is owned.
EXISTS: Final = object()

_UNOWNED: Final = frozenset({"apiVersion", "kind"})
_UNOWNED_METADATA: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


def flattened(obj: Object, *, with_status: bool = True) -> dict[Path, Any]:
    """Return every ownable path of an object with its value."""
    found: dict[Path, Any] = {}
    for name, value in obj.items():
        if name in _UNOWNED or (name == "status" and not with_status):
            continue
        if name == "metadata":
            fields = {key: item for key, item in value.items() if key not in _UNOWNED_METADATA}
            value = fields or None  # noqa: PLW2901 -- what is left of it
        if value is not None:
            found.update(_leaves(value, (f"f:{name}",), (name,)))
    return found


def differences(old: Object, new: Object) -> tuple[Paths, Paths]:
    """Return the paths that are new or have another value, and those that are gone."""
    before, after = flattened(old), flattened(new)
    changed = {path for path, value in after.items() if before.get(path, _MISSING) != value}
    return frozenset(changed), frozenset(before.keys() - after.keys())


def encode(paths: Paths) -> Object:
    """Return a set of paths as FieldsV1."""
    root: Object = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _without_lone_dots(root)


def decode(fields: Object) -> Paths:
    """Return the set of paths that FieldsV1 writes down."""
    return frozenset(_members(fields, ()))


def without(obj: Any, path: Path) -> Any:
    """Return a copy of ``obj`` without what is at ``path``, nor parents left empty by that."""
    if not path:
        return _MISSING
    place = _place(obj, path[0])
    if place is None:
        return obj
    rest = without(obj[place], path[1:])
    result = obj.copy()
    if rest is _MISSING or (not rest and obj[place]):
        del result[place]
    else:
        result[place] = rest
    return result


def is_key(path: Path) -> bool:
    """Return whether the field at ``path`` identifies the item it stands in."""
    if len(path) < 2 or not path[-2].startswith("k:"):  # noqa: PLR2004 -- an item and its field
        return False
    return path[-1].removeprefix("f:") in json.loads(path[-2].removeprefix("k:"))


def describe(path: Path) -> str:
    """Return a path as conflict messages write it: ``.spec.containers[name="web"].image``."""
    return "".join(_described(element) for element in path)


def _leaves(value: Any, path: Path, names: Names) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and not shape.is_atomic_mapping(names):
        for key, item in value.items():
            yield from _leaves(item, (*path, f"f:{key}"), (*names, key))
    elif isinstance(value, list) and value and (keys := shape.keys_of_list(names)):
        for item in value:
            yield from _item_leaves(item, (*path, shape.item_key(item, keys)), names)
    elif isinstance(value, list) and shape.is_set(names):
        for item in value:
            yield (*path, shape.value_key(item)), EXISTS
    else:
        yield path, value


def _item_leaves(item: Mapping[str, Any], path: Path, names: Names) -> Iterator[tuple[Path, Any]]:
    yield path, EXISTS
    for key, value in item.items():
        yield from _leaves(value, (*path, f"f:{key}"), (*names, key))


def _members(node: Object, path: Path) -> Iterator[Path]:
    if path and (not node or "." in node):
        yield path
    for element, child in node.items():
        if element != ".":
            yield from _members(child, (*path, element))


def _without_lone_dots(node: Object) -> Object:
    if node.keys() == {"."}:
        return {}
    return {element: _without_lone_dots(child) for element, child in node.items()}


def _place(obj: Any, element: str) -> Any:
    """Return the key or index of ``element`` in a mapping or list; None when it is not there."""
    kind, _, text = element.partition(":")
    if isinstance(obj, dict):
        return text if kind == "f" and text in obj else None
    if not isinstance(obj, list):
        return None
    wanted = json.loads(text)
    for index, item in enumerate(obj):
        if kind == "v" and item == wanted:
            return index
        if kind == "k" and shape.item_key(item, tuple(wanted)) == element:
            return index
    return None


def _described(element: str) -> str:
    kind, _, text = element.partition(":")
    if kind == "f":
        return f".{text}"
    if kind == "v":
        return f"[={text}]"
    identity = (f"{key}={json.dumps(value)}" for key, value in json.loads(text).items())
    return f"[{','.join(identity)}]"


_MISSING: Final = object()
