"""Scenario files and price lists as YAML: one strict loader for the command, the API and the page.

A small part of YAML: mappings, lists and scalars.  No anchors, aliases, tags or second document,
so that a short text cannot stand for a huge one.  Scalars stay text until a field says it is a
number: no binary floats come in between.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml

from gpuaas.core.errors import DomainError
from tokenomics.core import plan as planning
from tokenomics.core.fields import InvalidScenario, Problem
from tokenomics.core.scenario import PriceList, Scenario, plain_of, prices_of, scenario_of
from tokenomics.core.sheet import Sheet, sheet_of

LONGEST_TEXT: Final = 65_536
DEEPEST: Final = 8
_DATA: Final = Path(__file__).parent / "data"
# The C parser where it was built in; both read the same language.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_NULLS: Final = frozenset({"", "~", "null"})
_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


class ScenarioRefused(DomainError):
    """A text or data that is no scenario or price list; ``problems`` has all of them."""

    code: ClassVar[str] = "scenario_refused"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems: Final = problems
        super().__init__("; ".join(f"{each.field}: {each.message}" for each in problems))


@dataclass(frozen=True, slots=True)
class SheetProblem:
    """One thing that is wrong with a cost sheet, and in which line of its text, from 1."""

    field: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.field}: {self.message}"


class SheetRefused(DomainError):
    """A text that is no cost sheet; ``problems`` has all of them.  Nothing was entered."""

    code: ClassVar[str] = "sheet_refused"

    def __init__(self, problems: tuple[SheetProblem, ...]) -> None:
        self.problems: Final = problems
        super().__init__("; ".join(map(str, problems)))


def scenario_from(source: object) -> Scenario:
    """Return the scenario in YAML text, or in plain data as JSON has it; `ScenarioRefused` else."""
    try:
        return scenario_of(_data(source))
    except InvalidScenario as error:
        raise ScenarioRefused(error.problems) from error


def prices_from(source: object) -> PriceList:
    """Return the price list in YAML text or plain data; raises `ScenarioRefused`."""
    try:
        return prices_of(_data(source))
    except InvalidScenario as error:
        raise ScenarioRefused(error.problems) from error


def sheet_from(text: str) -> Sheet:
    """Return the cost sheet in YAML text; raises `SheetRefused`, by line."""
    try:
        return sheet_of(_parsed(text))
    except InvalidScenario as error:
        raise sheet_refused(text, error.problems) from error
    except ScenarioRefused as error:
        raise SheetRefused(
            tuple(SheetProblem(each.field, 1, each.code, each.message) for each in error.problems)
        ) from error


def sheet_refused(text: str, problems: Iterable[Problem]) -> SheetRefused:
    """Return the refusal of a sheet whose YAML is ``text``, each problem with its line."""
    root = yaml.compose(text, Loader=_LOADER)
    return SheetRefused(
        tuple(
            SheetProblem(each.field, _line_of(root, each.field), each.code, each.message)
            for each in problems
        )
    )


@cache
def example_sheet() -> str:
    """Return the example cost sheet, comments included."""
    return (_DATA / "costs.yaml").read_text(encoding="utf-8")


def yaml_of(document: Scenario | PriceList) -> str:
    """Return YAML from which an equal scenario or price list is read."""
    return yaml.dump(plain_of(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def json_of(document: Scenario | PriceList) -> dict[str, Any]:
    """Return plain data for JSON from which an equal one is read: decimals are text."""
    found: dict[str, Any] = _textual(plain_of(document))
    return found


def plan_of(scenario: Scenario, *, prices: PriceList) -> planning.Plan:
    """Return all answers to ``scenario``; `ScenarioRefused` if it names a price that is not there.

    ``prices`` is the installation's list, used unless the scenario brings its own.
    """
    try:
        return planning.plan(scenario, prices=prices)
    except InvalidScenario as error:
        raise ScenarioRefused(error.problems) from error


@cache
def packaged_prices() -> PriceList:
    """Return the dated price list that comes with the product."""
    return prices_from((_DATA / "prices.yaml").read_text(encoding="utf-8"))


@cache
def example_text() -> str:
    """Return the example scenario's file, comments included."""
    return (_DATA / "scenarios" / "reference.yaml").read_text(encoding="utf-8")


def _data(source: object) -> object:
    return _parsed(source) if isinstance(source, str) else source


def _textual(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _textual(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_textual(each) for each in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else value


class _Dumper(_DUMPER):  # type: ignore[misc] # which of the two is known at run time only
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        return True


def _represent_decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    text = f"{value:f}"
    kind = "float" if "." in text else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


_Dumper.add_representer(Decimal, _represent_decimal)


def _parsed(text: str) -> object:
    if len(text) > LONGEST_TEXT:
        raise _unreadable(f"{len(text):,} characters; at most {LONGEST_TEXT:,} are read")
    try:
        return _document(yaml.parse(text, Loader=_LOADER))
    except (yaml.YAMLError, UnicodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise _unreadable(f"{where}{getattr(error, 'problem', None) or 'not YAML'}") from error


def _unreadable(message: str) -> ScenarioRefused:
    return ScenarioRefused((Problem("document", "unreadable", message),))


def _document(events: Iterator[Any]) -> object:
    found: object = None
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if documents > 1:
            raise _unreadable(f"line {_line(event)}: a second document; give one")
        if isinstance(event, yaml.NodeEvent):
            found = _node(event, events, depth=1)
    return found


def _node(event: Any, events: Iterator[Any], *, depth: int) -> object:
    if isinstance(event, yaml.AliasEvent) or event.anchor or event.tag:
        raise _unreadable(f"line {_line(event)}: anchors, aliases and tags are not read")
    if isinstance(event, yaml.ScalarEvent):
        return None if not event.style and event.value in _NULLS else event.value
    if depth > DEEPEST:
        raise _unreadable(f"line {_line(event)}: nested more than {DEEPEST} deep")
    if isinstance(event, yaml.SequenceStartEvent):
        return list(_entries(events, depth=depth))
    return _mapping(events, depth=depth)


def _entries(events: Iterator[Any], *, depth: int) -> Iterator[object]:
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            return
        yield _node(event, events, depth=depth + 1)


def _mapping(events: Iterator[Any], *, depth: int) -> dict[str, object]:
    found: dict[str, object] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        if not isinstance(event, yaml.ScalarEvent):
            raise _unreadable(f"line {_line(event)}: a field's name is plain text")
        if event.value in found:
            raise _unreadable(f"line {_line(event)}: {event.value} stands here twice")
        found[event.value] = _node(next(events), events, depth=depth + 1)
    return found


def _line_of(root: Any, path: str) -> int:
    """Return the line of the field at ``path``, or of what it is missing from."""
    node, line = root, 1
    for name, index in _STEP.findall(path):
        if index:
            node = node.value[int(index)]
            line = _line(node)
            continue
        pair = next((each for each in node.value if each[0].value == name), None)
        if pair is None:
            return line
        line, node = _line(pair[0]), pair[1]
    return line


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
