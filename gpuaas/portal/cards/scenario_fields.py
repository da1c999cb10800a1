"""The most important numbers of a scenario as fields beside its YAML.

A field's name is its path in the document, the one that a problem names.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext

from gpuaas.core.language import later

_STEP: Final = re.compile(r"[a-z_]+|\d+")
_SPACES: Final = re.compile(r"\s+")

_PLATFORM: Final = (
    ("gpus", "GPUs"),
    ("servers", later("Servers")),
    ("electricity_price_per_kwh", later("Electricity, per kWh")),
    ("pue", "PUE"),
)
_ASSET: Final = (("price", later("Price")), ("life_years", later("Life, years")))
_MODEL: Final = (
    ("replicas", later("Replicas")),
    ("tokens_per_second", later("Tokens a second")),
    ("demand_tokens_per_year", later("Demand, tokens a year")),
)
_PARTS: Final = (
    (
        "sizing",
        later("Sizing"),
        (
            ("peak_factor", later("Peak over mean")),
            ("availability", later("Availability, 0 to 1")),
            ("max_utilisation", later("Highest utilisation, 0 to 1")),
            ("budget_per_year", later("Budget a year")),
        ),
    ),
    (
        "project",
        later("Proof of concept"),
        (("months", later("Months")), ("tokens_per_month", later("Tokens a month"))),
    ),
    (
        "agents",
        later("Agents"),
        (
            ("agents", later("Agents")),
            ("rounds", later("Rounds")),
            ("runs_per_month", later("Runs a month")),
        ),
    ),
)
# These may be left out of a document: an empty field takes them out.
_OPTIONAL: Final = frozenset({"budget_per_year", "demand_tokens_per_year"})


@dataclass(frozen=True, slots=True)
class Field:
    """One number; ``value`` as it is typed, thousands apart."""

    name: str
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Group:
    """Numbers that belong together."""

    title: str
    fields: tuple[Field, ...]


def groups(document: Mapping[str, Any]) -> list[Group]:
    """Return the fields of ``document``, the plain data of a valid scenario."""
    platform = document["platform"]
    found = [
        Group(
            gettext("Platform"),
            (
                _field(document, "utilisation", gettext("Utilisation, 0 to 1")),
                *_fields(platform, "platform.", _PLATFORM),
            ),
        )
    ]
    for title, path, rows, wanted in (
        ("", "platform.assets", platform["assets"], _ASSET),
        ("", "models", document["models"], _MODEL),
    ):
        for number, row in enumerate(rows):
            found.append(
                Group(title + row["name"], tuple(_fields(row, f"{path}[{number}].", wanted)))
            )
    for name, title, wanted_of_part in _PARTS:
        if part := document.get(name):
            found.append(Group(title, tuple(_fields(part, f"{name}.", wanted_of_part))))
    if routes := document.get("routes"):
        shares = (
            _field(
                row,
                "token_ratio",
                gettext("{row}, 0 to 1").format(row=row["name"]),
                at=f"routes[{number}].",
            )
            for number, row in enumerate(routes)
        )
        found.append(Group(gettext("Routes, share of tokens"), tuple(shares)))
    return found


def with_typed(document: dict[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """Return ``document`` with the fields that were changed; it is changed in place."""
    for group in groups(document):
        for field in group.fields:
            value = _SPACES.sub("", typed.get(field.name, field.value))
            if value != _SPACES.sub("", field.value):
                _put(document, field.name, value)
    return document


def _put(document: Any, path: str, value: str) -> None:
    *steps, last = _STEP.findall(path)
    for step in steps:
        document = document[int(step) if step.isdigit() else step]
    if not value and last in _OPTIONAL:
        document.pop(last, None)
    else:
        document[last] = value


def _fields(row: Mapping[str, Any], at: str, wanted: Iterable[tuple[str, str]]) -> Iterator[Field]:
    return (_field(row, name, label, at=at) for name, label in wanted)


def _field(row: Mapping[str, Any], name: str, label: str, *, at: str = "") -> Field:
    value = row.get(name)
    return Field(f"{at}{name}", label, "" if value is None else _spaced(str(value)))


def _spaced(number: str) -> str:
    """Return ``number`` with its thousands apart: 30 000 000 000."""
    whole, point, rest = number.partition(".")
    grouped = f"{int(whole):,}".replace(",", "\u00a0") if whole.isdigit() else whole
    return f"{grouped}{point}{rest}"
