"""Reading plain data strictly into frozen dataclasses, and writing them back.

A dataclass declares each field with a kind (`number`, `whole`, `text`, ...).  `read` checks a
mapping against those kinds and collects every problem with its path; `plain` is its inverse.
Numbers become `Decimal` or `int`, never float.
"""

import dataclasses
import enum
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")

LONGEST_NUMBER: Final = 40
MOST_DECIMAL_PLACES: Final = 12
MOST_PROBLEMS: Final = 100
_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9_]*(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KIND: Final = "kind"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, a stable code, and what would be valid."""

    field: str
    code: str
    message: str


class InvalidScenario(ValueError):
    """Plain data that is no scenario; ``problems`` has all of them at once."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems: Final = tuple(problems[:MOST_PROBLEMS])
        super().__init__("; ".join(f"{p.field}: {p.message}" for p in self.problems))


@runtime_checkable
class Checked(Protocol):
    """A dataclass with rules between its own fields."""

    def check(self) -> Iterator[Problem]:
        """Yield what is wrong; ``field`` is relative to the object."""


class Kind(Protocol):
    """What a field may hold."""

    def read(self, value: object, path: str, problems: list[Problem]) -> Any:
        """Return the value, or append to ``problems`` and return anything."""

    def plain(self, value: Any) -> object:
        """Return ``value`` as strings, numbers, dates, lists and dictionaries."""


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_NUMBER else f"{text[: LONGEST_NUMBER - 1]}…"


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    text = str(value)
    if len(text) > LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    return Decimal(text)


@dataclass(frozen=True, slots=True)
class Number:
    least: Decimal
    most: Decimal
    above: bool

    @property
    def valid(self) -> str:
        start = f"above {self.least:f}" if self.above else f"from {self.least:f}"
        return f"a number {start} to {self.most:f}"

    def read(self, value: object, path: str, problems: list[Problem]) -> Decimal:
        found = _decimal(value)
        if found is None:
            problems.append(Problem(path, "not_a_number", f"{_shown(value)} is not {self.valid}"))
            return self.most
        too_small = found <= self.least if self.above else found < self.least
        if too_small or found > self.most:
            problems.append(Problem(path, "out_of_range", f"{_shown(value)} is not {self.valid}"))
        elif -int(found.as_tuple().exponent) > MOST_DECIMAL_PLACES:
            message = f"{_shown(value)} has more than {MOST_DECIMAL_PLACES} decimal places"
            problems.append(Problem(path, "too_precise", message))
        return found

    def plain(self, value: Any) -> object:
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    least: int
    most: int

    @property
    def valid(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    def read(self, value: object, path: str, problems: list[Problem]) -> int:
        found = _decimal(value)
        if found is None or found != found.to_integral_value():
            problems.append(Problem(path, "not_whole", f"{_shown(value)} is not {self.valid}"))
            return self.least
        if not self.least <= found <= self.most:
            problems.append(Problem(path, "out_of_range", f"{_shown(value)} is not {self.valid}"))
            return self.least
        return int(found)

    def plain(self, value: Any) -> object:
        return value


@dataclass(frozen=True, slots=True)
class Text:
    most: int
    pattern: str

    def read(self, value: object, path: str, problems: list[Problem]) -> str:
        right = isinstance(value, str) and 1 <= len(value) <= self.most and value.isprintable()
        if not right or not re.fullmatch(self.pattern, str(value)):
            wanted = "" if self.pattern == ".*" else f" matching {self.pattern}"
            message = f"{_shown(value)} is not a text of 1 to {self.most} characters{wanted}"
            problems.append(Problem(path, "not_a_text", message))
        return str(value)

    def plain(self, value: Any) -> object:
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    members: type[enum.StrEnum]

    def read(self, value: object, path: str, problems: list[Problem]) -> enum.StrEnum | None:
        for member in self.members:
            if member.value == value:
                return member
        allowed = ", ".join(member.value for member in self.members)
        message = f"{_shown(value)} is not one of: {allowed}"
        problems.append(Problem(path, "unknown_choice", message))
        return None

    def plain(self, value: Any) -> object:
        return value.value


@dataclass(frozen=True, slots=True)
class Day:
    def read(self, value: object, path: str, problems: list[Problem]) -> date | None:
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        message = f"{_shown(value)} is not a date such as 2026-11-23"
        problems.append(Problem(path, "not_a_date", message))
        return None

    def plain(self, value: Any) -> object:
        return value


@dataclass(frozen=True, slots=True)
class Nested:
    of: type[Any]

    def read(self, value: object, path: str, problems: list[Problem]) -> Any:
        return read(self.of, value, path=path, problems=problems)

    def plain(self, value: Any) -> object:
        return plain(value)


@dataclass(frozen=True, slots=True)
class Items:
    of: type[Any]
    least: int
    most: int

    def read(self, value: object, path: str, problems: list[Problem]) -> tuple[Any, ...]:
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            message = f"give a list of {self.least} to {self.most} entries"
            problems.append(Problem(path, "not_a_list", message))
            return ()
        return tuple(
            read(self.of, each, path=f"{path}[{index}]", problems=problems)
            for index, each in enumerate(value)
        )

    def plain(self, value: Any) -> object:
        return [plain(each) for each in value]


def _declared(kind: Kind, default: Any) -> Any:
    return dataclasses.field(default=default, metadata={_KIND: kind})


def number(
    least: str = "0", most: str = "1e12", *, above: bool = False, default: Any = MISSING
) -> Any:
    """Declare a `Decimal` from ``least`` (exclusive when ``above``) to ``most``."""
    return _declared(Number(Decimal(least), Decimal(most), above), _as_decimal(default))


def _as_decimal(default: Any) -> Any:
    return Decimal(default) if isinstance(default, str) else default


def whole(least: int, most: int, *, default: Any = MISSING) -> Any:
    """Declare an int from ``least`` to ``most``."""
    return _declared(Whole(least, most), default)


def text(most: int = 80, *, pattern: str = ".*", default: Any = MISSING) -> Any:
    """Declare one printable line of at most ``most`` characters."""
    return _declared(Text(most, pattern), default)


def choice(members: type[enum.StrEnum], *, default: Any = MISSING) -> Any:
    """Declare one of the values of an enumeration."""
    return _declared(Choice(members), default)


def day(*, default: Any = MISSING) -> Any:
    """Declare a calendar date."""
    return _declared(Day(), default)


def nested(of: type[Any], *, default: Any = MISSING) -> Any:
    """Declare another dataclass."""
    return _declared(Nested(of), default)


def items(of: type[Any], *, least: int = 0, most: int, default: Any = MISSING) -> Any:
    """Declare a tuple of another dataclass."""
    return _declared(Items(of, least, most), default)


def read(of: type[T], value: object, *, path: str, problems: list[Problem]) -> T | None:
    """Return ``value`` as an ``of``; append what is wrong to ``problems`` and return None."""
    if not isinstance(value, Mapping):
        message = f"{_shown(value)} is not a mapping of fields"
        problems.append(Problem(path, "not_a_mapping", message))
        return None
    before = len(problems)
    declared = {each.name: each for each in dataclasses.fields(of)}  # type: ignore[arg-type]
    problems.extend(
        Problem(
            joined(path, _shown(key)),
            "unknown_field",
            f"unknown field; known are: {', '.join(declared)}",
        )
        for key in value
        if key not in declared
    )
    values = dict(_values(declared.values(), value, path, problems))
    if len(problems) > before:
        return None
    made = of(**values)
    if isinstance(made, Checked):
        problems.extend(
            dataclasses.replace(found, field=joined(path, found.field)) for found in made.check()
        )
    return made


def _values(
    declared: Iterable[dataclasses.Field[Any]],
    given: Mapping[str, object],
    path: str,
    problems: list[Problem],
) -> Iterator[tuple[str, object]]:
    for each in declared:
        where, value = joined(path, each.name), given.get(each.name)
        if value is not None:
            yield each.name, each.metadata[_KIND].read(value, where, problems)
        elif each.default is MISSING:
            problems.append(Problem(where, "required", "this field is required"))


def joined(path: str, name: str) -> str:
    """Return the path of ``name`` below ``path``."""
    return f"{path}.{name}" if path else name


def plain(value: Any) -> dict[str, object]:
    """Return a declared dataclass as plain data; fields that are None are left out."""
    return {
        each.name: each.metadata[_KIND].plain(getattr(value, each.name))
        for each in dataclasses.fields(value)
        if getattr(value, each.name) is not None
    }


def repeated(values: list[str], path: Callable[[int], str]) -> Iterator[Problem]:
    """Yield a problem for each value that stood before; ``path`` names the field of an index."""
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield Problem(path(index), "repeated", f"{_shown(value)} stands here twice")
        seen.add(value)
