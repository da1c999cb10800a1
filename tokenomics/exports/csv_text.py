"""CSV as RFC 4180 has it: UTF-8, commas, CRLF, quotes where needed, in pieces of constant size."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Final

from tokenomics.exports.tables import Kind, Row, Table, defused, written

BOM: Final = "\ufeff".encode()
"""What tells Excel that a file is UTF-8."""

_AT_ONCE: Final = 1_000


def pieces(table: Table, *, bom: bool = False) -> Iterator[bytes]:
    """Return the file of ``table`` piece by piece, so that its length costs no memory.

    ``bom`` puts a byte order mark before it.  Amounts are in major units with the digits of their
    currency.
    """
    if bom:
        yield BOM
    yield _lines([[defused(column.name) for column in table.columns]])
    rows, kinds = iter(table.rows), [column.kind for column in table.columns]
    while some := list(islice(rows, _AT_ONCE)):
        yield _lines([_cells(row, kinds, table.currency) for row in some])


def _lines(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cells(row: Row, kinds: list[Kind], currency: str) -> list[str]:
    return [written(cell, kind, currency) for cell, kind in zip(row, kinds, strict=True)]
