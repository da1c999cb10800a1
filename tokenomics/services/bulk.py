"""Rows by the thousand into a ledger and its sums, in a few statements and one transaction.

Rows go by COPY into a table of the connection's own, and from there all at once.  A row counts in
the sums if, and only if, this transaction inserted it: told again it is not inserted, so it is not
added either.  Sums are added to in the order of their keys, and rows are inserted in the order of
theirs, so that two writers wait for each other and never in a circle.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from django.db import connection

_STAGE: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS {staged} ({types}) ON COMMIT DELETE ROWS;
DELETE FROM {staged}
"""
_INSERT: Final = """
WITH fresh AS (
    INSERT INTO {table} ({names})
    SELECT {names} FROM {staged}
    ORDER BY source, event_id
    ON CONFLICT (source, event_id) DO NOTHING
    RETURNING {returned}
)
SELECT {keys}, {sums}, count(*) AS entries FROM fresh GROUP BY {keys}
"""
_OTHERS: Final = """
SELECT kept.source, kept.event_id FROM {table} kept
JOIN {staged} told USING (source, event_id)
WHERE kept.digest <> told.digest ORDER BY 1, 2
"""
_ADD: Final = """
INSERT INTO {table} AS kept ({names})
SELECT {names} FROM json_to_recordset(%s) AS more({types}) ORDER BY {keys}
ON CONFLICT ({keys}) DO UPDATE SET {additions}
"""

Columns: TypeAlias = Mapping[str, str]
"""Name of a column -> its type in PostgreSQL."""
Rows: TypeAlias = Sequence[Sequence[Any]]


def insert(
    table: str, columns: Columns, rows: Rows, *, keys: Columns, sums: Columns
) -> list[tuple[Any, ...]]:
    """Insert what is not there yet; return its sums by ``keys``, and how many entries each has.

    ``sums`` is name of a column -> SQL over the inserted rows.
    """
    summed = [name for name in sums if name in columns]
    statement = _INSERT.format(
        table=table,
        staged=_staged(table),
        names=", ".join(columns),
        keys=", ".join(keys),
        returned=", ".join({**keys, **dict.fromkeys(summed)}),
        sums=", ".join(f"{sql}::bigint AS {name}" for name, sql in sums.items()),
    )
    with connection.cursor() as cursor:
        # Of the connection, and emptied: the same transaction may have filled it before.
        cursor.execute(_STAGE.format(staged=_staged(table), types=_types(columns)))
        with cursor.copy(f"COPY {_staged(table)} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(statement)
        return list(cursor.fetchall())


def told_otherwise(table: str) -> list[tuple[str, str]]:
    """Return source and event id of those just given to `insert` that are kept otherwise."""
    with connection.cursor() as cursor:
        cursor.execute(_OTHERS.format(table=table, staged=_staged(table)))
        return list(cursor.fetchall())


def add(table: str, keys: Columns, carried: Columns, sums: Columns, rows: Rows) -> None:
    """Add sums to those that are kept under the same keys; ``carried`` is set the first time."""
    columns = {**keys, **carried, **sums}
    statement = _ADD.format(
        table=table,
        names=", ".join(columns),
        types=_types(columns),
        keys=", ".join(keys),
        additions=", ".join(f"{name} = kept.{name} + excluded.{name}" for name in sums),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [_json(columns, rows)])


def _staged(table: str) -> str:
    return f"{table}_told"


def _types(columns: Columns) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _json(names: Iterable[str], rows: Rows) -> str:
    """Return the rows as one text: a long list of parameters takes longer than the insert."""
    names = list(names)
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str)
