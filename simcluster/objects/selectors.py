"""Label and field selectors: which objects a list, a watch or a policy means."""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from simcluster.errors import bad_request
from simcluster.objects import Object
from simcluster.objects.kinds import Kind

LabelTest: TypeAlias = Callable[[Mapping[str, str]], bool]
ObjectTest: TypeAlias = Callable[[Object], bool]

_BETWEEN_REQUIREMENTS: Final = re.compile(r",(?![^(]*\))")
_SET: Final = re.compile(r"(\S+)\s+(in|notin)\s*\(([^()]*)\)")
_EQUALITY: Final = re.compile(r"([^\s!=]+)\s*(==|=|!=)\s*([^\s!=]*)")
_EXISTENCE: Final = re.compile(r"(!?)\s*([^\s!=,()]+)")


def labels(selector: str) -> LabelTest:
    """Return the test that a label selector such as ``a=b,c in (d,e),!f`` writes down."""
    tests = [_requirement(part.strip()) for part in _split(selector)]
    return lambda carried: all(test(carried) for test in tests)


def fields(selector: str, kind: Kind) -> ObjectTest:
    """Return the test of a field selector such as ``status.phase!=Running`` for one kind."""
    tests = [_field(part.strip(), kind) for part in _split(selector)]
    return lambda obj: all(test(obj) for test in tests)


def from_object(selector: Object | None) -> LabelTest:
    """Return the test of a LabelSelector object; None selects nothing, ``{}`` everything."""
    if selector is None:
        return lambda _: False
    wanted: dict[str, str] = selector.get("matchLabels") or {}
    tests = [_expression(expression) for expression in selector.get("matchExpressions") or []]
    return lambda carried: wanted.items() <= carried.items() and all(t(carried) for t in tests)


def value_at(obj: object, path: str) -> str:
    """Return the value of a dotted path as a field selector compares it; missing is empty."""
    for key in path.split("."):
        obj = obj.get(key) if isinstance(obj, Mapping) else None
    if isinstance(obj, bool):
        return str(obj).lower()
    return "" if obj is None else str(obj)


def _split(selector: str) -> list[str]:
    return [part for part in _BETWEEN_REQUIREMENTS.split(selector) if part.strip()]


def _requirement(text: str) -> LabelTest:
    if found := _SET.fullmatch(text):
        values = [value.strip() for value in found[3].split(",")]
        return _membership(found[1], values, wanted=found[2] == "in")
    if found := _EQUALITY.fullmatch(text):
        return _membership(found[1], [found[3]], wanted=found[2] != "!=")
    if found := _EXISTENCE.fullmatch(text):
        return _existence(found[2], wanted=not found[1])
    raise bad_request(f"unable to parse requirement: {text!r}")


def _membership(key: str, values: list[str], *, wanted: bool) -> LabelTest:
    if wanted:
        return lambda carried: carried.get(key) in values
    return lambda carried: carried.get(key) not in values


def _existence(key: str, *, wanted: bool) -> LabelTest:
    return lambda carried: (key in carried) == wanted


def _expression(expression: Object) -> LabelTest:
    key, operator = expression["key"], expression["operator"]
    values = expression.get("values") or []
    if operator in {"In", "NotIn"}:
        return _membership(key, values, wanted=operator == "In")
    return _existence(key, wanted=operator == "Exists")


def _field(text: str, kind: Kind) -> ObjectTest:
    found = _EQUALITY.fullmatch(text)
    if found is None:
        raise bad_request(f"invalid field selector: {text!r}")
    path, operator, value = found.groups()
    if path not in {"metadata.name", "metadata.namespace", *kind.selectable}:
        raise bad_request(f'field label not supported: "{path}"')
    return lambda obj: (value_at(obj, path) == value) == (operator != "!=")
