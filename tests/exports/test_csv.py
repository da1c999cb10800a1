"""CSV: RFC 4180, nothing that a spreadsheet runs, and no memory for length."""

import csv
import io
import tracemalloc
from collections.abc import Iterator
from itertools import repeat

import pytest

from tests.exports import rows
from tokenomics.exports import csv_text
from tokenomics.exports.tables import Row, Table


def text_of(table: Table, *, bom: bool = False) -> str:
    return b"".join(csv_text.pieces(table, bom=bom)).decode()


def read_back(table: Table) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text_of(table), newline=""), strict=True))


def test_amounts_have_the_digits_of_their_currency_and_instants_say_that_they_are_utc() -> None:
    table = rows.table(rows.row())

    assert read_back(table)[1] == [
        *("Vision", "2026-10-01", "2026-10-01T08:00:00Z", "186.00", "1250000", "228.54", "1.2345")
    ]


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", "-22854"), ("EUR", "-228.54"), ("KWD", "-22.854")]
)
def test_a_negative_amount_stays_a_number(currency: str, amount: str) -> None:
    assert read_back(rows.table(rows.row(minor=-22_854), currency=currency))[1][5] == amount


def test_what_is_not_known_is_an_empty_cell() -> None:
    assert read_back(rows.table(rows.row(minor=None)))[1][5] == ""


@pytest.mark.parametrize("name", rows.HOSTILE)
def test_a_cell_that_starts_a_formula_is_defused(name: str) -> None:
    assert read_back(rows.table(rows.row(name)))[1][0] == f"'{name}"


@pytest.mark.parametrize("name", ["a, b", 'the "first"', "two\r\nlines", "統計部", "a=b", ""])
def test_other_text_comes_back_as_it_was(name: str) -> None:
    assert read_back(rows.table(rows.row(name)))[1][0] == name


def test_lines_end_with_crlf_and_quotes_are_doubled() -> None:
    lines = text_of(rows.table(rows.row('say "no"'))).split("\r\n")

    assert len(lines) == 3
    assert lines[1].startswith('"say ""no""",')
    assert lines[2] == ""


def test_a_byte_order_mark_is_there_when_it_is_asked_for() -> None:
    table = rows.table(rows.row())

    assert text_of(table, bom=True) == f"\ufeff{text_of(table)}"


def test_ten_times_the_lines_take_no_more_memory() -> None:
    def most_memory(lines: int) -> int:
        some: Iterator[Row] = repeat(rows.row("a team with a name"), lines)
        tracemalloc.start()
        size = sum(map(len, csv_text.pieces(Table("", "EUR", rows.COLUMNS, some))))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size > lines * 50
        return most

    most_memory(1_000)

    assert most_memory(30_000) < 1.2 * most_memory(3_000)
