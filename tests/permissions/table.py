"""Reads ``matrix.txt``: who may ask what, and what they are answered.  Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

MATRIX: Final = Path(__file__).with_name("matrix.txt")
ROLES: Final = (
    "anonymous",
    "member",
    "manager",
    "viewer",
    "stranger",
    "their manager",
    "finance",
    "platform admin",
    "leaver",
    "inactive",
    "token",
)
# What somebody of our team is to an object of the other team.
ABROAD: Final = {"member": "stranger", "manager": "their manager", "viewer": "stranger"}
_BRACES: Final = re.compile(r"\{([^}]*)\}")


@dataclass(frozen=True)
class Row:
    """One method of one address: the ``expected`` outcome of each role."""

    method: str
    name: str
    kind: str
    expected: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


def rows() -> list[Row]:
    """Return the table, one row a method and address."""
    return [row for line in MATRIX.read_text().splitlines() for row in _rows_of(line)]


def _rows_of(line: str) -> Iterator[Row]:
    words = line.partition("#")[0].replace("|", " ").split()
    if not words:
        return
    methods, names, *codes = words
    kind = codes.pop(0)[1:] if codes[0].startswith("@") else ""
    if len(codes) != len(ROLES):
        raise ValueError(f"{len(ROLES)} outcomes are needed: {line}")
    for method, name in product(methods.split("+"), _expanded(names)):
        yield Row(method, name, kind, dict(zip(ROLES, codes, strict=True)))


def _expanded(names: str) -> list[str]:
    found = _BRACES.search(names)
    if found is None:
        return [names]
    return [names.replace(found[0], each) for each in found[1].split(",")]
