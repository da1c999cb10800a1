"""Rows by the thousand into a ledger and its sums, in a few statements and one transaction.

A row counts in the sums if, and only if, this transaction inserted it: told again it is not
inserted, so it is not added either.  Sums are added to in the order of their keys, and rows are
inserted in the order of theirs, so that two writers wait for each other and never in a circle.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from django.db import connection

_INSERT: Final = """
WITH fresh AS (
    INSERT INTO {table} ({names})
    SELECT {names} FROM json_to_recordset(%s) AS told({types})
    ORDER BY source, event_id
    ON CONFLICT (source, event_id) DO NOTHING
    RETURNING {returned}
)
SELECT {keys}, {sums}, count(*) AS entries FROM fresh GROUP BY {keys}
"""
_OTHERS: Final = """
SELECT kept.source, kept.event_id FROM {table} kept
JOIN json_to_recordset(%s) AS told(source text, event_id text, digest bytea)
USING (source, event_id)
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
        names=", ".join(columns),
        types=_types(columns),
        keys=", ".join(keys),
        returned=", ".join({**keys, **dict.fromkeys(summed)}),
        sums=", ".join(f"{sql}::bigint AS {name}" for name, sql in sums.items()),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [_json(columns, rows)])
        return list(cursor.fetchall())


def told_otherwise(table: str, told: Sequence[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Return source and event id of those that are kept with another digest."""
    with connection.cursor() as cursor:
        cursor.execute(_OTHERS.format(table=table), [_json(("source", "event_id", "digest"), told)])
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


def _types(columns: Columns) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _json(names: Iterable[str], rows: Rows) -> str:
    """Return the rows as one text: a long list of parameters takes longer than the insert."""
    names = list(names)
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str)
