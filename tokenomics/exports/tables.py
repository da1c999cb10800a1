"""A table before it is a file: columns that know what is in them, and rows one by one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Final

from gpuaas.core.money import digits_of

Cell = str | int | Decimal | date | datetime | None
Row = Sequence[Cell]

# What a spreadsheet takes for the start of a formula, wide forms too.
_STARTS_A_FORMULA: Final = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)


class Kind(Enum):
    """What the cells of a column are.  None is an empty cell in all of them, never 0."""

    TEXT = "text"
    MONEY = "money"
    """Minor units of the table's currency, as an integer."""
    COUNT = "count"
    """An integer: tokens, bookings."""
    HOURS = "hours"
    """A Decimal of hours, GPU-hours among them."""
    RATE = "rate"
    """A Decimal of the table's currency per something that the column's name says."""
    INSTANT = "instant"
    """An aware datetime; written in UTC."""
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``is_summed`` asks for a total where the format has one."""

    name: str
    kind: Kind = Kind.TEXT
    is_summed: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and their rows, which may be a stream that is read once."""

    title: str
    currency: str
    columns: tuple[Column, ...]
    rows: Iterable[Row]


def starts_a_formula(text: str) -> bool:
    """Return whether a spreadsheet could take ``text`` for a formula, spaces before it or not."""
    return text.startswith(_STARTS_A_FORMULA) or text.lstrip().startswith(_STARTS_A_FORMULA)


def defused(text: str) -> str:
    """Return ``text`` as a spreadsheet shows it and does not run it: after an apostrophe."""
    return f"'{text}" if starts_a_formula(text) else text


def major(minor: int, currency: str) -> Decimal:
    """Return minor units as an amount with the digits of its currency."""
    return Decimal(minor).scaleb(-digits_of(currency))


def written(cell: Cell, kind: Kind, currency: str) -> str:
    """Return a cell as text: a dot before decimals, ISO dates, instants in UTC, text defused."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return defused(cell)
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(cell, date):
        return cell.isoformat()
    if kind is Kind.MONEY:
        return f"{major(int(cell), currency):f}"
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)
