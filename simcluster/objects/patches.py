"""JSON patch (RFC 6902), JSON merge patch (RFC 7386) and Kubernetes' strategic merge patch."""

import copy
from typing import Any

from simcluster.errors import ApiError, bad_request
from simcluster.objects import Object, shape
from simcluster.objects.shape import Names


def merged(target: Any, patch: Any) -> Any:
    """Return ``target`` after a JSON merge patch: null removes, lists are replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def strategically_merged(target: Any, patch: Any, names: Names = ()) -> Any:
    """Return ``target`` after a strategic merge patch: a merge patch that knows list items.

    Understood are ``$patch: delete`` and ``replace`` and ``$deleteFromPrimitiveList``; the order
    directives (``$setElementOrder``) and ``$retainKeys`` are accepted and not followed.
    """
    if isinstance(patch, dict):
        return _strategic_mapping(target if isinstance(target, dict) else {}, patch, names)
    key = shape.strategic_key(names) if isinstance(patch, list) else ""
    if key:
        return _strategic_list(target or [], patch, key, names)
    if isinstance(patch, list) and shape.is_set(names):
        kept = list(target or [])
        return kept + [value for value in patch if value not in kept]
    return copy.deepcopy(patch)


def json_patched(target: Object, operations: Any) -> Object:
    """Return ``target`` after the operations of a JSON patch, all of them or an error."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list of operations")
    result = copy.deepcopy(target)
    for operation in operations:
        try:
            _operate(result, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise _cannot_patch(operation) from error
    return result


def _strategic_mapping(target: Object, patch: Object, names: Names) -> Object:
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    result = dict(target)
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            result[field] = [kept for kept in result.get(field) or [] if kept not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = strategically_merged(result.get(key), value, (*names, key))
    return result


def _strategic_list(target: list[Any], patch: list[Any], key: str, names: Names) -> list[Any]:
    if {"$patch": "replace"} in patch:
        return [copy.deepcopy(item) for item in patch if item != {"$patch": "replace"}]
    result = list(target)
    for item in patch:
        places = [place for place, old in enumerate(result) if old.get(key) == item.get(key)]
        if item.get("$patch") == "delete":
            result = [old for old in result if old.get(key) != item.get(key)]
        elif places:
            result[places[0]] = strategically_merged(result[places[0]], item, names)
        else:
            result.append(strategically_merged({}, item, names))
    return result


def _operate(document: Object, operation: Object) -> None:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            _add(document, path, operation["value"])
        case "remove":
            _remove(document, path)
        case "replace":
            _remove(document, path)
            _add(document, path, operation["value"])
        case "test":
            _test(document, path, operation.get("value"))
        case "copy":
            _add(document, path, _get(document, _pointer(operation["from"])))
        case "move":
            source = _pointer(operation["from"])
            value = _get(document, source)
            _remove(document, source)
            _add(document, path, value)
        case unknown:
            raise ValueError(f"unknown operation {unknown}")


def _pointer(text: str) -> list[str]:
    if not text.startswith("/"):
        raise ValueError("the whole document cannot be the target")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _test(document: Any, path: list[str], value: Any) -> None:
    if _get(document, path) != value:
        raise ValueError("test failed")


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[_index(part)] if isinstance(document, list) else document[part]
    return document


def _add(document: Any, path: list[str], value: Any) -> None:
    parent, last = _get(document, path[:-1]), path[-1]
    value = copy.deepcopy(value)
    if not isinstance(parent, list):
        parent[last] = value
    elif last == "-":
        parent.append(value)
    elif _index(last) <= len(parent):
        parent.insert(_index(last), value)
    else:
        raise IndexError(last)


def _remove(document: Any, path: list[str]) -> None:
    parent, last = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[_index(last)]
    else:
        del parent[last]


def _index(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text} is no index")
    return int(text)


def _cannot_patch(operation: Any) -> ApiError:
    return ApiError(
        422,
        "Invalid",
        f"the server rejected our request due to an error in our request: {operation}",
    )
