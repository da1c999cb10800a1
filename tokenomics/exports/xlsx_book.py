"""XLSX: real numbers, dates that are dates, and totals that are formulas with their value beside.

The same tables make the same bytes: no clock is asked, and text is kept in the cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Final

import xlsxwriter
from xlsxwriter.utility import xl_range

from gpuaas.core.errors import DomainError
from gpuaas.core.money import digits_of
from tokenomics.exports.tables import Cell, Column, Kind, Row, Table, major, starts_a_formula

MOST_ROWS: Final = 1_048_576 - 3
"""Excel's rows less the head, the total and the line above it."""

_MADE_AT: Final = datetime(2000, 1, 1)  # noqa: DTZ001 -- the library wants it naive; always the same
_LONGEST_NAME: Final = 31
_NOT_IN_NAMES: Final = str.maketrans(dict.fromkeys("[]:*?/\\", " "))
_WIDTHS: Final = {Kind.TEXT: 26, Kind.MONEY: 16, Kind.INSTANT: 20, Kind.RATE: 16}


class TooManyRows(DomainError):
    """A sheet holds no more rows; CSV has no such end."""

    code: ClassVar[str] = "too_many_rows"


@dataclass(slots=True)
class _Sums:
    """What a column adds up to, in whole units, while its cells pass by."""

    of: dict[int, int | Decimal] = field(default_factory=dict)

    def add(self, index: int, cell: Cell) -> None:
        if isinstance(cell, int | Decimal):
            self.of[index] = self.of.get(index, 0) + cell


def write(path: Path, tables: Sequence[Table]) -> None:
    """Write a book with a sheet for each table.

    Raises `TooManyRows` where a table has more than `MOST_ROWS`; the file is then of no use.
    """
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "remove_timezone": True,
    }
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": _MADE_AT, "title": tables[0].title})
        names: set[str] = set()
        for table in tables:
            _sheet(book, table, names)


def _sheet(book: Any, table: Table, names: set[str]) -> None:
    sheet = book.add_worksheet(_name(table.title, names))
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    formats = [_format(book, column.kind, table.currency) for column in table.columns]
    quoted = book.add_format({"quote_prefix": True})
    sheet.freeze_panes(1, 0)
    for index, column in enumerate(table.columns):
        sheet.set_column(index, index, _WIDTHS.get(column.kind, 14))
        sheet.write_string(0, index, column.name, head)
    sums, last = _Sums(), 0
    for last, row in enumerate(table.rows, start=1):
        if last > MOST_ROWS:
            raise TooManyRows(f"{table.title}: a sheet holds {MOST_ROWS:,} rows; take CSV for more")
        _row(sheet, last, row, table, formats, quoted, sums)
    _totals(book, sheet, table, last, sums)


def _row(
    sheet: Any,
    number: int,
    row: Row,
    table: Table,
    formats: list[Any],
    quoted: Any,
    sums: _Sums,
) -> None:
    for index, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
        if cell is None:
            continue
        if isinstance(cell, str):
            sheet.write_string(number, index, cell, quoted if starts_a_formula(cell) else None)
        elif isinstance(cell, date):  # datetimes are dates
            when = cell.astimezone(UTC) if isinstance(cell, datetime) else cell
            sheet.write_datetime(number, index, when, formats[index])
        else:
            sheet.write_number(number, index, _number(cell, column, table.currency), formats[index])
            if column.is_summed:
                sums.add(index, cell)


def _totals(book: Any, sheet: Any, table: Table, last: int, sums: _Sums) -> None:
    if not any(column.is_summed for column in table.columns):
        return
    row = last + 2
    sheet.write_string(row, 0, "Total", book.add_format({"bold": True, "top": 1}))
    for index, column in enumerate(table.columns):
        if column.is_summed:
            look = {"bold": True, "top": 1, "num_format": _pattern(column.kind, table.currency)}
            value = _number(sums.of.get(index, 0), column, table.currency)
            formula = f"=SUM({xl_range(1, index, max(last, 1), index)})"
            sheet.write_formula(row, index, formula, book.add_format(look), value)


def _number(cell: int | Decimal, column: Column, currency: str) -> float:
    return float(major(int(cell), currency) if column.kind is Kind.MONEY else cell)


def _format(book: Any, kind: Kind, currency: str) -> Any:
    pattern = _pattern(kind, currency)
    return book.add_format({"num_format": pattern}) if pattern else None


def _pattern(kind: Kind, currency: str) -> str:
    digits = digits_of(currency)
    return {
        Kind.TEXT: "",
        Kind.MONEY: f"#,##0.{'0' * digits}" if digits else "#,##0",
        Kind.COUNT: "#,##0",
        Kind.HOURS: "#,##0.00",
        Kind.RATE: "#,##0.0000",
        Kind.INSTANT: "yyyy-mm-dd hh:mm",
        Kind.DAY: "yyyy-mm-dd",
    }[kind]


def _name(title: str, names: set[str]) -> str:
    """Return a name that Excel takes for a sheet, and that no other sheet of the book has."""
    stem = title.translate(_NOT_IN_NAMES).strip(" '")[:_LONGEST_NAME] or "Sheet"
    name, number = stem, 1
    while name.lower() in names:
        number += 1
        name = f"{stem[: _LONGEST_NAME - 4]} {number}"
    names.add(name.lower())
    return name
