"""The parts that the portal and the workers share: settings, database, broker, workers, backlog."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from celery import current_app
from django.conf import settings
from django.core import checks
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from gpuaas.audit import selectors as audit
from gpuaas.notifications import selectors as notifications
from reconciler.doctor import Finding, error, warning, well
from sessions import measures

OLDEST_POSTGRESQL: Final = 14
FURTHEST_CLOCKS: Final = timedelta(seconds=2)
FULLEST_CONNECTIONS: Final = 0.8
LONGEST_QUEUE: Final = 100
ANSWER_SECONDS: Final = 2
BACKLOG_OLDER_THAN: Final = timedelta(minutes=5)
CERTIFICATE_LEFT: Final = timedelta(days=21)
LINKS_VERIFIED: Final = 10_000
_SERIOUS: Final = checks.ERROR


def configuration(now: datetime) -> Iterator[Finding]:  # noqa: ARG001 -- an examination's signature
    """Examine the settings by Django's checks and ours, those for a deployment included."""
    messages = checks.run_checks(databases=["default"], include_deployment_checks=True)
    for message in messages:
        if message.is_silenced():
            continue
        make = error if message.level >= _SERIOUS else warning
        advice = message.hint or "docs/configuration.md says what the setting means."
        yield make("settings", f"{message.id}: {message.msg}", advice)
    if not messages:
        yield well("settings", "no check complains")


def database(now: datetime) -> Iterator[Finding]:  # noqa: ARG001
    """Examine the database: its age, its clock, its migrations, the connections that are left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int / 10000, clock_timestamp(),"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
            " current_setting('max_connections')::int, pg_is_in_recovery()"
        )
        version, its_time, used, at_most, is_replica = cursor.fetchone()
    if version < OLDEST_POSTGRESQL:
        yield error(
            "database",
            f"PostgreSQL {version} is too old",
            f"Upgrade it to {OLDEST_POSTGRESQL} or later.",
        )
    if is_replica:
        yield error(
            "database", "DATABASE_URL names a replica that cannot be written", "Name the primary."
        )
    apart = abs(timezone.now() - its_time)
    if apart > FURTHEST_CLOCKS:
        yield error(
            "database",
            f"its clock and this one are {apart.total_seconds():.0f} s apart",
            "Synchronise both (NTP): windows open and close by these clocks.",
        )
    if used > FULLEST_CONNECTIONS * at_most:
        yield warning(
            "database",
            f"{used} of {at_most} connections are in use",
            "Raise max_connections, lower GPUAAS_DATABASE_POOL_SIZE, or put pgbouncer before it.",
        )
    yield from _migrations()
    yield from _keeps_its_session()
    yield well("database", f"PostgreSQL {version}, {used} of {at_most} connections in use")


def _migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        yield error(
            "database",
            f"{len(missing)} migrations are to be applied, {missing[0][0]} the first",
            "Run manage.py migrate (docs/runbook/upgrade.md).",
        )


def _keeps_its_session() -> Iterator[Finding]:
    """Find out whether a pooler hands out another session for each transaction.

    The locks of a pass are a session's: taken in one and given back in another they would stay.
    """
    with connection.cursor() as cursor:
        backends = set()
        for _ in range(3):
            cursor.execute("SELECT pg_backend_pid()")
            backends.add(cursor.fetchone()[0])
    if len(backends) > 1:
        yield error(
            "database",
            "each statement reaches another session: something pools by transaction",
            "Give the reconciler a direct address, or a pool by session"
            " (docs/design/scaling.md says what may go through which).",
        )


def broker(now: datetime) -> Iterator[Finding]:  # noqa: ARG001
    """Examine the broker: whether it answers, and what waits in its queues."""
    with current_app.connection_for_write(connect_timeout=ANSWER_SECONDS) as link:
        link.ensure_connection(max_retries=1, timeout=ANSWER_SECONDS)
        for queue in ("default", "reconciler"):
            waiting = _length(link.default_channel, queue)
            if waiting > LONGEST_QUEUE:
                yield warning(
                    "broker",
                    f"{waiting} tasks wait in the queue {queue}",
                    f"Start a worker of the queue {queue}, or more of them.",
                )
    yield well("broker", "answers")


def _length(channel: object, queue: str) -> int:
    size = getattr(channel, "_size", None)  # of kombu's virtual transports, Redis among them
    return int(size(queue)) if size else 0


def workers(now: datetime) -> Iterator[Finding]:  # noqa: ARG001
    """Examine who takes tasks: somebody each queue, and just one process the reconciler's."""
    inspect = current_app.control.inspect(timeout=ANSWER_SECONDS)
    queues = inspect.active_queues() or {}
    listening = {
        name: sorted(
            worker for worker, bound in queues.items() if name in {each["name"] for each in bound}
        )
        for name in ("default", "reconciler")
    }
    for name, found in listening.items():
        if not found:
            yield error(
                "workers",
                f"nobody answers for the queue {name}",
                f"Start: python -m celery --app gpuaas worker --queues {name}"
                " (docs/runbook/reconciler-stopped.md).",
            )
        else:
            yield well("workers", f"queue {name}: {', '.join(found)}")
    if len(listening["reconciler"]) > 1:
        yield warning(
            "workers",
            f"{len(listening['reconciler'])} workers take passes where one would do",
            "Leave one worker with concurrency 1 for the queue reconciler.",
        )


def shared_cache(now: datetime) -> Iterator[Finding]:
    """Examine the cache that limits on guessing count in."""
    key, value = "doctor", now.isoformat()
    cache.set(key, value, timeout=10)
    if cache.get(key) != value:
        yield error(
            "cache",
            "does not give back what was put into it",
            "Look at GPUAAS_CACHE_URL: without it nobody can log in.",
        )
    else:
        yield well("cache", "answers")


def schedule(now: datetime) -> Iterator[Finding]:
    """Examine whether the passes are made, on each cluster."""
    after = max(timedelta(seconds=90), 3 * timedelta(seconds=settings.RECONCILE_INTERVAL_SECONDS))
    beats = measures.heartbeats()
    for beat in beats:
        if beat.is_stalled(now=now, after=after):
            seen = "never" if beat.looked_at is None else f"last at {beat.looked_at:%F %T} UTC"
            yield error(
                "reconciler",
                f"{beat.cluster} is not looked at ({seen})",
                "docs/runbook/reconciler-stopped.md; if the cluster does not answer:"
                " docs/runbook/cluster-unreachable.md.",
            )
        else:
            yield well("reconciler", f"looks at {beat.cluster}")
    if not beats:
        yield warning("reconciler", "there is no enabled cluster", "Add one in the administration.")


def backlog(now: datetime) -> Iterator[Finding]:
    """Examine what should have been told by now, and what failed of late."""
    late = notifications.backlog(before=now - BACKLOG_OLDER_THAN)
    if late.waiting:
        yield warning(
            "backlog",
            f"{late.waiting} messages wait for longer than five minutes",
            "Look at the worker of the queue default, and at the mail server.",
        )
    if late.dead:
        yield warning(
            "backlog",
            f"{late.dead} messages were given up",
            "Administration, Deliveries, state Given up: their last error says why.",
        )
    counts = measures.failures_by_reason(now=now)
    failed = {reason: count for reason, count in counts.items() if count}
    if failed:
        told = ", ".join(f"{count} for {reason}" for reason, count in sorted(failed.items()))
        yield warning(
            "sessions",
            f"failed within a day: {told}",
            "The reservation's page says why, step by step.",
        )
    if not (late.waiting or late.dead or failed):
        yield well("backlog", "nothing waits, nothing was given up, nothing failed within a day")


def trail(now: datetime) -> Iterator[Finding]:  # noqa: ARG001
    """Examine the newest links of the audit trail; `verify_audit` reads them all."""
    after = audit.head_at(max(audit.beginning().position, audit.head().position - LINKS_VERIFIED))
    if after is None:
        yield error("audit trail", "a position is missing", "docs/runbook/audit-trail-broken.md")
        return
    reached, fault = audit.verified(after=after, kept={})
    if fault is not None:
        yield error("audit trail", fault.says, "docs/runbook/audit-trail-broken.md")
    else:
        yield well("audit trail", f"its newest links hold, up to {reached.position}")


def certificate(now: datetime) -> Iterator[Finding]:
    """Examine the certificate of the address that people use, where it is https."""
    url = urlsplit(settings.BASE_URL)
    if url.scheme != "https" or url.hostname is None:
        return
    begun = time.monotonic()
    context = ssl.create_default_context()
    with (
        closing(socket.create_connection((url.hostname, url.port or 443), ANSWER_SECONDS)) as plain,
        context.wrap_socket(plain, server_hostname=url.hostname) as secured,
    ):
        until = ssl.cert_time_to_seconds(str((secured.getpeercert() or {})["notAfter"]))
    left = datetime.fromtimestamp(until, UTC) - now
    took_ms = (time.monotonic() - begun) * 1000
    if left < CERTIFICATE_LEFT:
        yield warning(
            "certificate",
            f"of {url.hostname} ends in {left.days} days",
            "docs/runbook/certificates.md",
        )
    else:
        yield well(
            "certificate", f"of {url.hostname} holds for {left.days} days ({took_ms:.0f} ms)"
        )


EXAMINATIONS: Final = (
    ("settings", configuration),
    ("database", database),
    ("cache", shared_cache),
    ("broker", broker),
    ("workers", workers),
    ("reconciler", schedule),
    ("backlog", backlog),
    ("audit trail", trail),
    ("certificate", certificate),
)
