"""Writing the audit trail, and forging it as only a superuser of the database can."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from gpuaas.audit import selectors, services
from gpuaas.audit.chain import START, Finding, Head
from tests import make


def write(count: int = 1) -> None:
    """Commit ``count`` events, or do what a commit does in the transaction of a test."""
    nested = connection.in_atomic_block
    for number in range(count):
        with transaction.atomic():
            services.record(
                "thing.happened", subject="thing:1", actor=None, at=make.NOON, number=number
            )
        if nested:
            connection.check_constraints()


@contextmanager
def forging() -> Iterator[CursorWrapper]:
    """Yield a cursor for which no trigger fires."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield cursor
        cursor.execute("SET session_replication_role = origin")


def verified(*kept: Head, after: Head = START) -> tuple[Head, Finding | None]:
    return selectors.verified(after=after, kept={each.position: each.digest for each in kept})
