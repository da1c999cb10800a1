"""One pass over one cluster: look, run the phases in order, look again while something moves.

Level-triggered: nothing that matters is remembered from one pass to the next.  One item that fails
is put off and the pass goes on.  What asks the cluster runs side by side, a session on one thread
at a time; rows are written by the pass's own thread.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from django.conf import settings
from django.db import transaction

from gpuaas.core import errors, locks, logs
from gpuaas.inventory.models import Cluster, GpuBackend
from reconciler import cluster as port
from reconciler import connections, observe
from reconciler.manifests import exposure
from reconciler.phases import (
    attendance,
    ending,
    hardware,
    opening,
    quota,
    repair,
    start,
    stop,
    tokens,
    upkeep,
    warnings,
)
from reconciler.provision import Job, Outcome, Waiting
from reconciler.world import Complete, World
from sessions import selectors
from sessions import services as sessions
from sessions.models import WorkspaceSession

logger = logging.getLogger(__name__)

# A pass that waits for the cluster looks again after a pause, as long as something moves, and is
# over before the next tick comes.  The first pauses are short: much is done in a blink.
FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 1.0
PATIENCE: Final = timedelta(seconds=10)
LONGEST_PASS: Final = timedelta(seconds=24)


# By cluster, what the last look found complete: a saving of this process, and nothing it needs.
_complete: Final[dict[int, Complete]] = {}


class Phase(Protocol):
    """One concern of the pass; `reconciler.phases` says more."""

    def due(self, cluster: Cluster, now: datetime) -> Iterable[Any]: ...

    def act(self, item: Any, world: World, now: datetime) -> Outcome | Job[Any]: ...


# A warning comes before its end; stop before start, so that back-to-back bookings hand over; repair
# before start, so that what people already use comes first.  Warnings and hardware come last:
# nobody waits for them.
PHASES: Final[tuple[tuple[str, Phase], ...]] = (
    ("ending", ending),
    ("stop", stop),
    ("repair", repair),
    ("open", opening),
    ("start", start),
    ("upkeep", upkeep),
    ("tokens", tokens),
    ("attendance", attendance),
    ("warnings", warnings),
    ("quota", quota),
    ("hardware", hardware),
)


# However often a pass looks again, these ask the cluster once, unless something of theirs waits.
ONCE_A_PASS: Final = frozenset({"warnings", "hardware"})


@dataclass(slots=True)
class Report:
    """What one pass did; nothing in it is needed next time."""

    cluster: str
    changes: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    put_off: dict[str, str] = field(default_factory=dict)
    api_calls: dict[str, int] = field(default_factory=dict)
    looks: int = 0
    skipped: str = ""


def run_on_each_cluster(
    *,
    clock: Callable[[], datetime],
    dry_run: bool = False,
    patience: timedelta | None = None,
) -> list[Report]:
    """Run one pass over every enabled cluster, side by side, and return the reports.

    A cluster that takes longer than ``patience`` is left at work and reported as put off.
    """
    return connections.on_each_cluster(
        lambda cluster, kube: run(
            cluster=cluster,
            kube=kube,
            clock=clock,
            dry_run=dry_run,
        ),
        unreached=lambda name, error: Report(name, put_off={name: error}),
        patience=patience,
    )


def run(
    *,
    cluster: Cluster,
    kube: port.Cluster,
    clock: Callable[[], datetime],
    dry_run: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> Report:
    """Bring ``cluster`` to what the database says, as far as it goes in one pass.

    Only one pass per cluster runs at a time; a second one is skipped and says so.  A dry run
    looks once, sends nothing and takes back the rows it wrote.

    Raises:
        ClusterError: the cluster could not be observed; nothing was done.
    """
    report = Report(cluster.name)
    calls_before = Counter(kube.calls)
    with locks.held_alone(locks.LockSpace.RECONCILE_CYCLE, cluster.pk) as alone:
        if not alone:
            report.skipped = "another pass over this cluster is running"
            return report
        began_at, error = time.monotonic(), ""
        answers_before = kube.answers.copy()
        try:
            with ThreadPoolExecutor(settings.RECONCILE_THREADS, "reconcile") as threads:
                _look_and_act(cluster, kube, threads, clock, dry_run, pause, report)
        except Exception as unseen:
            error = str(unseen) or type(unseen).__name__
            raise
        finally:
            if not dry_run:
                sessions.record_pass(
                    cluster=cluster,
                    seconds=time.monotonic() - began_at,
                    answers=kube.answers - answers_before,
                    put_off=len(report.put_off),
                    error=error,
                    now=clock(),
                )
    report.api_calls = dict(Counter(kube.calls) - calls_before)
    return report


def _look_and_act(
    cluster: Cluster,
    kube: port.Cluster,
    threads: Executor,
    clock: Callable[[], datetime],
    dry_run: bool,  # noqa: FBT001 -- all are the pass's own
    pause: Callable[[float], None],
    report: Report,
) -> None:
    """Look and act until nothing waits, nothing moves, or the time of a pass is over."""
    began_at = moved_at = clock()
    pause_seconds = FIRST_PAUSE_SECONDS
    while True:
        seen_before = dict(report.waiting)
        picture = observe.look(
            kube,
            installation=settings.INSTALLATION,
            with_claims=cluster.gpu_backend == GpuBackend.DRA.value,
            besides=exposure.kinds(selectors.exposures_in(cluster)),
        )
        was_complete = _complete.get(cluster.pk, {})
        world = World(kube, picture, dry_run=dry_run, was_complete=was_complete)
        with transaction.atomic() if dry_run else nullcontext():
            _act_on_all(cluster, world, threads, now=clock(), report=report)
            if dry_run:
                transaction.set_rollback(True)
        if not dry_run:
            _complete[cluster.pk] = world.complete
        now = clock()
        if world.changes or report.waiting != seen_before:
            moved_at = now
        if dry_run or not report.waiting:
            return
        if now - moved_at > PATIENCE or now - began_at > LONGEST_PASS:
            return
        if world.changes:
            pause_seconds = FIRST_PAUSE_SECONDS
        pause(pause_seconds)
        pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)


def _act_on_all(
    cluster: Cluster, world: World, threads: Executor, *, now: datetime, report: Report
) -> None:
    """Run every phase on what it finds due, in one look's light."""
    report.looks += 1
    waited = {label.partition(":")[0] for label in report.waiting}
    report.waiting.clear()
    sessions.record_look(cluster=cluster, now=now)
    for name, phase in PHASES:
        if report.looks > 1 and name in ONCE_A_PASS - waited:
            continue
        at_work = []
        for item in phase.due(cluster, now):
            with _isolated(name, item, now=now, report=report) as attempt:
                found = phase.act(item, world, now)
                if isinstance(found, Job):
                    at_work.append((item, found, threads.submit(copy_context().run, found.work)))
                else:
                    attempt.outcome = found
        for item, job, working in at_work:
            with _isolated(name, item, now=now, report=report) as attempt:
                attempt.outcome = job.record(working.result())
    report.changes.extend(world.changes)


@dataclass(slots=True)
class _Attempt:
    """What came of one item; None while its job is at work, and when it failed."""

    outcome: Outcome | None = None


@contextmanager
def _isolated(name: str, item: Any, *, now: datetime, report: Report) -> Iterator[_Attempt]:
    """Let one item fail without the others: whatever goes wrong inside is noted and ends here."""
    session = item[0] if isinstance(item, tuple) else item
    label = f"{name}:{session}"
    attempt = _Attempt()
    try:
        with logs.about(**_names(session)):
            yield attempt
    except errors.DomainError as error:  # somebody moved it between our read and our write
        logger.info("item moved meanwhile", extra={"item": label, "error": str(error)})
    except port.ClusterError as error:  # anticipated: the cluster's fault, not ours
        logger.warning("item put off", extra={"item": label}, exc_info=error)
        report.put_off[label] = str(error)
        _note_failure(session, error, now=now)
    except Exception as error:
        logger.exception("item crashed", extra={"item": label})
        report.put_off[label] = repr(error)
        _note_failure(session, error, now=now)
    else:
        if attempt.outcome is not None:
            report.put_off.pop(label, None)
        if isinstance(attempt.outcome, Waiting):
            report.waiting[label] = attempt.outcome.reason


def _names(item: object) -> dict[str, str]:
    """Return what a record names the session by: what `kubectl` and its page call it."""
    if not isinstance(item, WorkspaceSession):
        return {}
    return {"session": str(item.public_id), "namespace": item.namespace}


def _note_failure(item: object, error: Exception, *, now: datetime) -> None:
    """Put a session off, or give it up where the cluster will never do what it needs."""
    if not isinstance(item, WorkspaceSession):
        return
    try:
        sessions.record_failure(
            session=item,
            error=str(error) or type(error).__name__,
            is_final=isinstance(error, port.ClusterRefused),
            retry_after=error.retry_after if isinstance(error, port.ClusterUnavailable) else None,
            now=now,
        )
    except errors.DomainError as moved:
        logger.info("item moved meanwhile", extra={"item": str(item), "error": str(moved)})
