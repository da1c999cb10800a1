"""A session from its birth to its end: its moves and its failures."""

import secrets
import uuid
import zlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from gpuaas.core import errors, sealing
from gpuaas.inventory.models import Cluster
from reservations import lifecycle
from reservations import services as reservations
from reservations.reminders import Reminder
from sessions import attendance, spec
from sessions.models import (
    TRANSITIONS,
    ClusterWatch,
    SessionState,
    WorkspaceSession,
)
from sessions.services import doors
from sessions.services.notes import NOTED_EVERY
from sessions.services.notes import note as _note
from sessions.services.notes import tell as _tell

if TYPE_CHECKING:
    from reservations.models import Reservation

MAX_FAILURES: Final = 8
FIRST_RETRY_AFTER: Final = timedelta(seconds=5)
LONGEST_RETRY_AFTER: Final = timedelta(minutes=5)
MOST_JITTER: Final = 0.2
MOST_FAILURES_COUNTED: Final = 1_000
PROVISIONING_AT_MOST: Final = timedelta(minutes=20)
# Longer than the time between two looks, much shorter than an outage.
LONGEST_LOOK: Final = timedelta(minutes=1)


class StaleSession(errors.DomainError):
    """The session is not in the state we saw it in, or never may make that move."""

    code = "stale_session"


def open_session(*, reservation: "Reservation", now: datetime) -> WorkspaceSession:
    """Activate the reservation and give it a session to be provisioned.

    Raises:
        StaleReservation: somebody else moved it; then there is no session.
    """
    with transaction.atomic():
        reservations.transition(
            reservation=reservation,
            target=lifecycle.State.ACTIVE,
            reason="its window opened",
            actor=None,
            now=now,
        )
        public_id = uuid.uuid4()
        session = WorkspaceSession.objects.create(
            public_id=public_id,
            reservation=reservation,
            namespace=spec.namespace_name(public_id),
            exposure=reservation.pool.cluster.exposure,
            door_seed=sealing.seal(secrets.token_urlsafe(32)),
            opened_at=now,
        )
        _tell(session, "The window opened: preparing your workspace", at=now)
    return session


def record_namespace(*, session: WorkspaceSession, uid: str) -> None:
    """Keep the UID of the namespace: with it the namespace is known even without its labels."""
    if session.namespace_uid != uid:
        WorkspaceSession.objects.filter(pk=session.pk).update(namespace_uid=uid)
        session.namespace_uid = uid


def record_ready(*, session: WorkspaceSession, now: datetime) -> None:
    """Note that the session is complete; the first time, hand it over to its owner.

    A session that was ready before is back after a repair: failures are forgotten.  One that
    has been all the time costs nothing.
    """
    if session.state == SessionState.READY.value and not _is_noted(session):
        return
    with transaction.atomic():
        if session.state == SessionState.PROVISIONING.value:
            _move(session, SessionState.READY, ready_at=now)
            _tell(session, "Your workspace is ready", at=now)
            reservations.tell("session.ready", reservation=session.reservation, actor=None, at=now)
        elif session.waiting_for or session.failures:
            _tell(session, "Your workspace is complete again", at=now)
        _note(session, waiting_for="", failures=0, last_error="", retry_at=None)


def record_waiting(
    *,
    session: WorkspaceSession,
    reason: str,
    now: datetime,
    hopeless_after: timedelta | None = None,
) -> None:
    """Note what the cluster still has to do; give up when that takes far too long.

    ``hopeless_after`` says of this reason that waiting longer is useless.  Only time that was
    watched counts: what an outage took away is no fault of the session.
    """
    reason = reason[:300]
    with transaction.atomic():
        if session.waiting_for != reason:
            _tell(session, f"Waiting: {reason}", at=now)
        _note(session, waiting_for=reason, failures=0, retry_at=None)
        if session.state == SessionState.PROVISIONING.value:
            _count_waiting(session, now)
    provisioning = session.state == SessionState.PROVISIONING.value
    if not provisioning:
        return
    at_most = PROVISIONING_AT_MOST if hopeless_after is None else hopeless_after
    if not at_most:
        give_up(session=session, reason=f"it will never be ready: {reason}", now=now)
    elif session.waited_seconds > at_most.total_seconds():
        minutes = int(at_most.total_seconds()) // 60
        give_up(session=session, reason=f"not ready after {minutes} minutes: {reason}", now=now)


def record_failure(
    *,
    session: WorkspaceSession,
    error: str,
    is_final: bool,
    now: datetime,
    retry_after: timedelta | None = None,
) -> None:
    """Put the session off, twice as long each time, and as long as the cluster asked.

    A session that nobody has got yet is given up after `MAX_FAILURES` in a row, or at once with
    ``is_final``, when trying again is useless.  One that somebody works in is never given up: it
    may lack a part, but it holds their work.  One that is being stopped has to go in any case.
    """
    failures = session.failures + 1
    provisioning = session.state == SessionState.PROVISIONING.value
    if provisioning and (is_final or failures >= MAX_FAILURES):
        give_up(session=session, reason=error, now=now)
        return
    wait = min(FIRST_RETRY_AFTER * 2 ** min(failures - 1, 10), LONGEST_RETRY_AFTER)
    wait = min(max(wait, retry_after or wait), LONGEST_RETRY_AFTER)
    wait += wait * _jitter(session, failures)
    with transaction.atomic():
        if session.last_error != error[:500]:
            _tell(session, f"Trying again soon: {error}", at=now, is_problem=True)
        _note(
            session,
            failures=min(failures, MOST_FAILURES_COUNTED),
            last_error=error[:500],
            retry_at=now + wait,
        )


def record_look(*, cluster: Cluster, now: datetime) -> None:
    """Note that the sessions of ``cluster`` are looked at; a gap begins the stretch anew."""
    watch, _ = ClusterWatch.objects.get_or_create(
        cluster=cluster, defaults={"since": now, "until": now}
    )
    gap = now - watch.until
    if gap > attendance.LONGEST_GAP:
        ClusterWatch.objects.filter(pk=watch.pk).update(since=now, until=now)
    elif gap >= NOTED_EVERY:
        ClusterWatch.objects.filter(pk=watch.pk).update(until=now)


def give_up(*, session: WorkspaceSession, reason: str, now: datetime) -> None:
    """Fail the reservation, say why, and have the session stopped; its capacity comes back."""
    with transaction.atomic():
        reservations.transition(
            reservation=session.reservation,
            target=lifecycle.State.FAILED,
            reason=reason,
            actor=None,
            now=now,
        )
        _move(session, SessionState.STOPPING)
        _note(session, last_error=reason[:500], waiting_for="", failures=0, retry_at=None)
        _tell(session, f"Given up: {reason}", at=now, is_problem=True)


def warn_of_end(*, session: WorkspaceSession, reminder: Reminder, now: datetime) -> bool:
    """Tell a session's people that it ends, unless they were told; return whether it was news.

    The message to who booked it may have gone out already: it is the same one, and told once.
    """
    at = f"{reminder.deadline:%H:%M} UTC, in less than {reminder.mark_minutes} minutes"
    said = f"{spec.ENDING} {at}: save what you need"
    if any(each.message == said for each in session.events.all()):
        return False
    with transaction.atomic():
        _tell(session, said, at=now)
        reservations.remind(now=now, of=session.reservation)
    return True


def begin_stop(*, session: WorkspaceSession, now: datetime) -> None:
    """Note that the namespace is being deleted; saying it again changes nothing.

    Raises:
        StaleReservation: the reservation was extended meanwhile; then it goes on.
    """
    if session.state == SessionState.STOPPING.value:
        return
    with transaction.atomic():
        reservations.begin_end(reservation=session.reservation, now=now)
        _move(session, SessionState.STOPPING)
        _note(session, waiting_for="", failures=0, retry_at=None)
        _tell(session, "The session ends: removing the workspace", at=now)


def close(*, session: WorkspaceSession, now: datetime) -> None:
    """End the session, its namespace being gone, and complete its reservation."""
    with transaction.atomic():
        begin_stop(session=session, now=now)
        _move(session, SessionState.ENDED, ended_at=now)
        doors.take_down(session=session, now=now)
        _note(session, waiting_for="", last_error="", failures=0, retry_at=None)
        _tell(session, "The workspace and everything in it is gone", at=now)
        reservation = session.reservation
        if reservation.is_live:
            reservations.transition(
                reservation=reservation,
                target=lifecycle.State.COMPLETED,
                reason="its window ended",
                actor=None,
                now=now,
            )


def _jitter(session: WorkspaceSession, failures: int) -> float:
    """Return a fraction in [0, `MOST_JITTER`): what failed together does not come back together."""
    seed = zlib.crc32(f"{session.public_id}:{failures}".encode())
    return MOST_JITTER * seed / 2**32


def _count_waiting(session: WorkspaceSession, now: datetime) -> None:
    """Add the time since the last look, or a pass's length where nobody looked for longer."""
    since = now - (session.looked_at or now)
    seconds = int(min(max(since, timedelta()), LONGEST_LOOK).total_seconds())
    if session.looked_at is None or seconds:
        _note(session, looked_at=now, waited_seconds=session.waited_seconds + seconds)


def _move(session: WorkspaceSession, target: SessionState, **fields: object) -> None:
    """Compare-and-swap on the session's table of moves."""
    source = SessionState(session.state)
    if target not in TRANSITIONS[source]:
        raise StaleSession(f"a session cannot go from {source.value} to {target.value}")
    changed_rows = WorkspaceSession.objects.filter(pk=session.pk, state=source.value).update(
        state=target.value, **fields
    )
    if changed_rows == 0:
        raise StaleSession(f"session {session} is not {source.value} any more")
    for field, value in {"state": target.value, **fields}.items():
        setattr(session, field, value)


def _is_noted(session: WorkspaceSession) -> bool:
    """Return whether something is written down that a complete session has no need of."""
    return bool(session.waiting_for or session.failures or session.last_error or session.retry_at)
