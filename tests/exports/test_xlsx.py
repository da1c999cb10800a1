"""XLSX, read back by another library: real numbers, totals twice, nothing that runs by itself."""

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.exports import rows
from tokenomics.exports import xlsx_book
from tokenomics.exports.tables import Table


def sheet_of(path: Path, *tables: Table, values: bool = True) -> Any:
    xlsx_book.write(path, tables)
    return openpyxl.load_workbook(path, data_only=values).worksheets[0]


def test_numbers_are_numbers_and_dates_are_dates(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path / "a.xlsx", rows.table(rows.row()))

    assert [cell.value for cell in sheet[2]] == [
        "Vision",
        datetime(2026, 10, 1),  # noqa: DTZ001 -- a workbook knows no zones
        datetime(2026, 10, 1, 8),  # noqa: DTZ001
        *(186, 1_250_000, 228.54, 1.2345),
    ]
    assert sheet["F2"].number_format == "#,##0.00"


def test_a_total_is_a_formula_and_its_value(tmp_path: Path) -> None:
    table = rows.table(rows.row(), rows.row(minor=-54), rows.row(minor=None))

    values = sheet_of(tmp_path / "a.xlsx", table)
    formulas = sheet_of(tmp_path / "a.xlsx", table, values=False)

    assert [values[f"{column}6"].value for column in "ADEF"] == ["Total", 558, 3_750_000, 228.0]
    assert formulas["F6"].value == "=SUM(F2:F4)"


@pytest.mark.parametrize(("currency", "amount"), [("JPY", 22_854), ("KWD", 22.854)])
def test_amounts_have_the_digits_of_their_currency(
    tmp_path: Path, currency: str, amount: float
) -> None:
    sheet = sheet_of(tmp_path / "a.xlsx", rows.table(rows.row(), currency=currency))

    assert sheet["F2"].value == amount


@pytest.mark.parametrize("name", rows.HOSTILE)
def test_text_is_never_a_formula_and_is_marked_as_text(tmp_path: Path, name: str) -> None:
    sheet = sheet_of(tmp_path / "a.xlsx", rows.table(rows.row(name)), values=False)

    assert sheet["A2"].data_type == "s"
    assert sheet["A2"].value.strip().removeprefix("_x000D_") == name.strip()
    assert sheet["A2"].quotePrefix


def test_the_same_table_makes_the_same_bytes_later(tmp_path: Path) -> None:
    first, later = tmp_path / "first.xlsx", tmp_path / "later.xlsx"
    xlsx_book.write(first, [rows.table(rows.row())])
    time.sleep(2.1)  # the clock of a ZIP file ticks every two seconds
    xlsx_book.write(later, [rows.table(rows.row())])

    assert first.read_bytes() == later.read_bytes()


def test_sheets_have_names_that_excel_takes(tmp_path: Path) -> None:
    titles = ("A/B: [all]*?", "x" * 40, "X" * 40, "''")
    xlsx_book.write(tmp_path / "a.xlsx", [rows.table(title=title) for title in titles])

    names = openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames

    assert names == ["A B   all", "x" * 31, f"{'X' * 27} 2", "Sheet"]


def test_a_table_without_sums_has_no_total(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path / "a.xlsx", Table("Notes", "EUR", rows.COLUMNS[:1], [("a note",)]))

    assert sheet.max_row == 2


def test_more_rows_than_a_sheet_holds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx_book, "MOST_ROWS", 2)

    with pytest.raises(xlsx_book.TooManyRows, match="holds 2 rows"):
        xlsx_book.write(tmp_path / "a.xlsx", [rows.table(*[rows.row()] * 3)])
