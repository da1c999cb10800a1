"""Every PostgreSQL advisory lock this project takes, and the two ways to take one."""

import enum
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta

import psycopg
from django.db import OperationalError, connection, transaction

from gpuaas.core import errors


class LockSpace(enum.IntEnum):
    """First half of a lock's key.  Shows as ``classid`` in ``pg_locks``.

    Arbitrary but unique; never reuse a retired number.
    """

    POOL_CAPACITY = 71001
    RECONCILE_CYCLE = 71002
    AUDIT_CHAIN = 71003
    DIRECTORY_ROUND = 71010
    READ_METERS = 71020
    BOOK_METERS = 71021
    USAGE_MONTHS = 71022


class LockBusy(errors.DomainError):
    """Somebody else held the lock for longer than we were willing to wait."""

    code = "busy"


def hold_until_commit(space: LockSpace, object_id: int, *, wait_at_most: timedelta) -> None:
    """Take the exclusive lock ``(space, object_id)``; PostgreSQL drops it at COMMIT or ROLLBACK.

    Call it once per transaction, in a statement of its own, before the first read of what it
    guards: a read in the same statement would see a snapshot older than the lock.

    Raises:
        LockBusy: somebody else held it for ``wait_at_most``.
    """
    _take("pg_advisory_xact_lock", space, object_id, wait_at_most)


def share_until_commit(space: LockSpace, object_id: int, *, wait_at_most: timedelta) -> None:
    """Take the lock together with all who share it; whoever holds it alone waits for all of them.

    As with `hold_until_commit`, which it waits for.  Raises `LockBusy`.
    """
    _take("pg_advisory_xact_lock_shared", space, object_id, wait_at_most)


def _take(function: str, space: LockSpace, object_id: int, wait_at_most: timedelta) -> None:
    if not connection.in_atomic_block:
        msg = "an advisory lock outside a transaction would be released at once"
        raise RuntimeError(msg)
    wait_ms = int(wait_at_most.total_seconds() * 1000)
    with connection.cursor() as cursor:
        # true = for this transaction only
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{wait_ms}ms"])
        with timeout_as_busy():
            cursor.execute(f"SELECT {function}(%s, %s)", [space.value, object_id])


@contextmanager
def timeout_as_busy() -> Iterator[None]:
    """Turn a wait for a lock that became too long into `LockBusy`."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise LockBusy("somebody else is booking here right now: try again") from error
        raise


def refuse_enclosing_transaction() -> None:
    """Raise RuntimeError inside a transaction, except that of a test: as ``durable=True`` does."""
    with transaction.atomic(durable=True) if connection.in_atomic_block else nullcontext():
        pass


@contextmanager
def held_alone(space: LockSpace, object_id: int) -> Iterator[bool]:
    """Hold the lock on a connection of its own for the block; yield whether we got it.

    It does not wait.  The lock lives as long as the connection: a process that dies lets go.
    """
    own = connection.get_connection_params()
    for of_django in ("cursor_factory", "context", "prepare_threshold"):
        own.pop(of_django, None)
    with psycopg.connect(**{**own, "autocommit": True}) as lock_connection:
        row = lock_connection.execute(
            "SELECT pg_try_advisory_lock(%s, %s)", [space.value, object_id]
        ).fetchone()
        try:
            yield bool(row and row[0])
        finally:
            # Now, not when the server gets round to noticing that the connection is gone.
            with suppress(psycopg.OperationalError):
                lock_connection.execute("SELECT pg_advisory_unlock_all()")
