"""Who uses a workspace, and what follows when nobody does: a warning, a pause, giving it back."""

from datetime import datetime
from typing import Final

from django.db import transaction

from gpuaas.accounts.models import User
from reservations import lifecycle
from reservations import services as reservations
from reservations.facts import Attendance
from sessions import attendance
from sessions.attendance import PROBED_EVERY_AT_LEAST, Verdict
from sessions.models import ClusterWatch, SessionState, WorkspaceSession, WorkspaceSessionQuerySet
from sessions.services.life import StaleSession
from sessions.services.notes import note, note_at, tell

_NOT_THERE: Final = "the workspace cannot be opened: look at what is happening"


def record_visit(*, session: WorkspaceSession, actor: User, now: datetime) -> None:
    """Note that ``actor`` opens the workspace.

    Raises:
        StaleSession: it is not there to be opened (any more), or is paused.
    """
    ready = WorkspaceSession.objects.filter(
        pk=session.pk,
        state=SessionState.READY.value,
        reservation__state=lifecycle.State.ACTIVE.value,
    )
    with transaction.atomic():
        if ready.filter(paused_at=None).update(active_at=now, quiet_since=None) == 0:
            paused = ready.exists()
            raise StaleSession("the workspace is paused: resume it first" if paused else _NOT_THERE)
        if ready.filter(visited_at=None).update(visited_at=now) == 1:
            tell(session, f"Opened by {actor}", at=now)


def record_use(*, session: WorkspaceSession, is_used: bool | None, now: datetime) -> None:
    """Note whether pods of its people were seen in it; None: the look could not tell."""
    if is_used is None:
        note_at(session, "unseen_at", now)
    elif is_used:
        note_at(session, "active_at", now)


def record_probe(*, session: WorkspaceSession, is_at_work: bool | None, now: datetime) -> None:
    """Note whether a GPU, a kernel or a terminal was at work; None: the probe could not tell.

    What is not known is not quiet: the quiet time begins anew after it, as after a gap.  A visit
    between the reading of ``session`` and now is not written over.
    """
    row = WorkspaceSession.objects.filter(pk=session.pk)
    if is_at_work is None or is_at_work:
        row.update(probed_at=now, quiet_since=None)
        return
    is_unbroken = session.probed_at and now - session.probed_at <= PROBED_EVERY_AT_LEAST
    if session.quiet_since is None or not is_unbroken:
        same = row.filter(active_at=session.active_at)
        same.update(probed_at=now, quiet_since=now)
    else:
        row.update(probed_at=now)


def attend(
    *, session: WorkspaceSession, rules: Attendance, watch: ClusterWatch, now: datetime
) -> Verdict:
    """Do what follows from nobody using it, and return what was done.

    IDLE is told once for each time that it falls idle, and nothing follows without it.
    """
    if session.ready_at is None:
        return Verdict.NOTHING
    evidence = attendance.Evidence(
        ready_at=session.ready_at,
        active_at=session.active_at,
        unseen_at=session.unseen_at,
        watched_since=watch.since,
        watched_until=watch.until,
        quiet_since=session.quiet_since,
        probed_at=session.probed_at,
        told_at=session.idle_told_at,
        is_paused=session.paused_at is not None,
    )
    limits = attendance.Limits(rules.no_show, rules.idle, rules.pause, rules.release)
    found = attendance.judge(evidence, limits, now=now)
    if found == Verdict.NO_SHOW:
        return _release_no_show(session, now)
    if session.quiet_since is not None:
        if found == Verdict.IDLE:
            _warn(session, rules, session.quiet_since, now)
        elif found == Verdict.PAUSE:
            return _pause(session, session.quiet_since, now)
        elif found == Verdict.RELEASE:
            return _release_idle(session, session.quiet_since, now)
    return found


def resume(*, session: WorkspaceSession, actor: User, now: datetime) -> None:
    """Start a paused workspace again.

    Raises:
        StaleSession: it is not paused, or over.
    """
    paused = WorkspaceSession.objects.filter(
        pk=session.pk,
        state=SessionState.READY.value,
        reservation__state=lifecycle.State.ACTIVE.value,
    ).exclude(paused_at=None)
    with transaction.atomic():
        if paused.update(paused_at=None, quiet_since=None, active_at=now) == 0:
            raise StaleSession("the workspace is not paused: look at what is happening")
        tell(session, f"Resumed by {actor}: starting the workspace again", at=now)


def _release_no_show(session: WorkspaceSession, now: datetime) -> Verdict:
    """Give it back, unless somebody opens it just now: of the two, one waits for the other."""
    with transaction.atomic():
        if not _ready(session).filter(active_at=None).select_for_update():
            return Verdict.NOTHING
        reservations.release_no_show(reservation=session.reservation, now=now)
        tell(session, "Nobody came: it is given back", at=now)
    return Verdict.NO_SHOW


def _release_idle(session: WorkspaceSession, since: datetime, now: datetime) -> Verdict:
    """Give it back, unless somebody begins to work just now."""
    with transaction.atomic():
        if not _ready(session).filter(quiet_since=since).select_for_update():
            return Verdict.NOTHING
        reservations.release_idle(reservation=session.reservation, idle_since=since, now=now)
        tell(session, "Nobody used it any more: it is given back", at=now)
    return Verdict.RELEASE


def _pause(session: WorkspaceSession, since: datetime, now: datetime) -> Verdict:
    """Have its workspace stopped; its files and its devices stay."""
    reservation = session.reservation
    with transaction.atomic():
        if _ready(session).filter(quiet_since=since, paused_at=None).update(paused_at=now) == 0:
            return Verdict.NOTHING
        reservations.tell(
            "reservation.paused",
            reservation=reservation,
            actor=None,
            at=now,
            key=f"reservation.paused:{reservation.public_id}:{since.isoformat()}",
            idle_since=since.isoformat(),
        )
        tell(session, "Paused: nobody has used it for a while; files and GPUs stay", at=now)
    session.paused_at = now
    return Verdict.PAUSE


def _warn(session: WorkspaceSession, rules: Attendance, since: datetime, now: datetime) -> None:
    reservation = session.reservation
    then = {
        name: (now + limit - rules.idle).isoformat()
        for name, limit in (("pauses_at", rules.pause), ("released_at", rules.release))
        if limit is not None and rules.idle is not None
    }
    with transaction.atomic():
        note(session, idle_told_at=now)
        reservations.tell(
            "reservation.idle",
            reservation=reservation,
            actor=None,
            at=now,
            key=f"reservation.idle:{reservation.public_id}:{since.isoformat()}",
            idle_since=since.isoformat(),
            **then,
        )
        tell(session, "No GPU, kernel or terminal has worked in it for a while", at=now)


def _ready(session: WorkspaceSession) -> WorkspaceSessionQuerySet:
    return WorkspaceSession.objects.filter(pk=session.pk, state=SessionState.READY.value)
