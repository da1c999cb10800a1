"""Many commit events at the same time; the chain stays one.  Pairs: with the guard, without."""

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction

from gpuaas.accounts.models import Team
from gpuaas.audit import services
from gpuaas.audit.models import AuditEvent, AuditLink
from tests import audits, make
from tests.concurrency.threads import at_once
from tests.notifications.tellers import announce

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS, COMMITS = 16, 8
MIGRATION: Final = importlib.import_module("gpuaas.audit.migrations.0003_chain")
TAKES_THE_NOTE: Final = "INSERT INTO audit_unchained (event_id) VALUES (NEW.id);"
READS_THE_LAST: Final = "INSERT INTO audit_auditlink"


@contextmanager
def functions_with(**replaced: str) -> Iterator[None]:
    """Replace, for the block, one text of the two functions by another."""
    start = MIGRATION.LAST_OF_ALL.index("CREATE FUNCTION")
    end = MIGRATION.LAST_OF_ALL.index("CREATE CONSTRAINT")
    source = MIGRATION.LAST_OF_ALL[start:end].replace("CREATE", "CREATE OR REPLACE")
    assert source.count(replaced["old"]) == 1
    with connection.cursor() as cursor:
        cursor.execute(source.replace(replaced["old"], replaced["new"]))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(source)


def commit_some() -> int:
    """Commit events, two in each transaction; return how many commits failed."""
    failed = 0
    for _ in range(COMMITS):
        try:
            with transaction.atomic():
                for _ in range(2):
                    services.record("x.y", subject="x", actor=None, at=make.NOON)
        except DatabaseError:
            failed += 1
    return failed


def test_sixteen_that_commit_at_once_make_one_chain_without_a_gap() -> None:
    failed = at_once([commit_some] * WORKERS)

    head, finding = audits.verified()
    assert (sum(failed), finding) == (0, None)
    assert head.position == WORKERS * COMMITS * 2 == AuditEvent.objects.count()
    assert AuditLink.objects.count() == head.position


def test_without_the_lock_they_take_each_others_place() -> None:
    # If this fails, the test above may pass for no reason.
    with functions_with(old=MIGRATION.LOCK, new="PERFORM pg_sleep(0);"):
        failed = at_once([commit_some] * WORKERS)

    assert sum(failed) > 0


def commit_against_a_lock(team: Team) -> list[str]:
    """Let one wait at its COMMIT for the row of ``team``, whose holder then commits as well."""
    is_locked, is_waiting = threading.Event(), threading.Event()

    def holder() -> str:
        with transaction.atomic():
            Team.objects.select_for_update().get(pk=team.pk)
            is_locked.set()
            wait_for_a_waiting_backend()
            is_waiting.set()
            services.record("x.y", subject="holder", actor=None, at=make.NOON)
        return "committed"

    def waiter() -> str:
        is_locked.wait(20)
        with transaction.atomic():
            services.record("x.y", subject="waiter", actor=None, at=make.NOON)
            announce(team=team, to=None, key="x")  # its foreign key is checked at COMMIT
        return "committed"

    def or_refused(action: "object") -> str:
        try:
            assert callable(action)
            return str(action())
        except OperationalError as error:
            return str(error).partition("\n")[0]

    return at_once([lambda: or_refused(holder), lambda: or_refused(waiter)])


def wait_for_a_waiting_backend() -> None:
    with connection.cursor() as cursor:
        for _ in range(2_000):
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted"
                " AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
            )
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    pytest.fail("nobody waits")


def test_whoever_waits_at_commit_does_not_hold_the_chain() -> None:
    assert commit_against_a_lock(make.team()) == ["committed", "committed"]
    assert audits.verified()[1] is None


def test_taking_the_chain_with_the_foreign_keys_deadlocks() -> None:
    # If this fails, the two steps of the trigger may be there for no reason.
    with functions_with(old=TAKES_THE_NOTE, new=f"{MIGRATION.LOCK} {TAKES_THE_NOTE}"):
        assert "deadlock detected" in commit_against_a_lock(make.team())
