"""One reservation's page: how far it is, what is happening now, and what happened.  Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from gpuaas.portal.cards.bookings import can_open, fingerprint
from gpuaas.portal.cards.devices import DevicesCard
from reservations import history, lifecycle, selectors
from reservations.lifecycle import PendingOn, State

if TYPE_CHECKING:
    from gpuaas.audit.models import AuditEvent
    from reservations.models import Reservation
    from sessions.models import SessionEvent, WorkspaceSession

# The reconciler looks every 30 s; after this long without it something is wrong.
OVERDUE: Final = timedelta(minutes=3)
SOON: Final = timedelta(minutes=5)
REFRESH_SECONDS: Final = 3
REFRESH_SECONDS_WHILE_FAR_OFF: Final = 20


@dataclass(frozen=True, slots=True)
class Step:
    """One of the four steps; ``progress`` is done, current, failed or todo."""

    name: str
    progress: str
    at: datetime | None = None
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what happened."""

    at: datetime
    text: str
    is_problem: bool = False


@dataclass(frozen=True, slots=True)
class Now:
    """What is happening now: a headline, a sentence, and a moment to count down to."""

    headline: str
    sentence: str
    tone: str
    icon: str
    counts_down_to: datetime | None = None
    countdown: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """The part of the page that changes by itself."""

    now: Now
    steps: tuple[Step, ...]
    lines: tuple[Line, ...]
    devices: DevicesCard | None
    workspace_url: str
    is_paused: bool
    refresh_seconds: int | None

    @property
    def fingerprint(self) -> str:
        return fingerprint([self])


def story_of(
    reservation: "Reservation",
    *,
    session: "WorkspaceSession | None",
    events: "Iterable[SessionEvent]",
    devices: DevicesCard | None,
    workspace_url: str,
    now: datetime,
) -> Story:
    """Return the live part of the page of ``reservation``."""
    return Story(
        now=_now(reservation, session, now),
        steps=_steps(reservation, session),
        lines=tuple(Line(each.at, each.message, each.is_problem) for each in events),
        devices=devices,
        workspace_url=workspace_url if can_open(reservation, session) else "",
        is_paused=reservation.state == State.ACTIVE
        and session is not None
        and session.state == "READY"
        and session.paused_at is not None,
        refresh_seconds=_refresh_seconds(reservation, session, now),
    )


def history_lines(events: "Iterable[AuditEvent]") -> tuple[Line, ...]:
    """Return the audit trail as sentences: who did what, when, from what to what."""
    entries = (
        (each, history.entry_of(at=each.at, action=each.action, data=each.data)) for each in events
    )
    return tuple(
        Line(entry.at, _sentence(event, entry), entry.is_problem) for event, entry in entries
    )


def _now(reservation: "Reservation", session: "WorkspaceSession | None", now: datetime) -> Now:
    state = State(reservation.state)
    if state in lifecycle.IS_NO_BOOKING_YET:
        return _not_yet(reservation)
    if state == State.APPROVED:
        return _before(reservation, now)
    if state == State.ACTIVE and session is not None:
        return _during(reservation, session, now)
    return _after(reservation, session, state)


def _not_yet(reservation: "Reservation") -> Now:
    if reservation.state == State.WAITLISTED:
        return Now(
            gettext("In line"),
            gettext(
                "When capacity frees and it is your turn, it is held for you and you are told."
            ),
            "secondary",
            "clock",
            reservation.starts_at,
            gettext("Would start in"),
        )
    if reservation.pending_on == PendingOn.REQUESTER:
        return Now(
            gettext("Held for you"),
            gettext("Take it in time, or the next in line gets it."),
            "warning",
            "alert-triangle",
            reservation.held_until,
            gettext("Held for"),
        )
    return Now(
        gettext("Waiting for approval"),
        gettext(
            "It is held for you: nobody else can book it while somebody who may approve it decides."
        ),
        "warning",
        "clock",
        reservation.held_until,
        gettext("Held for"),
    )


def _before(reservation: "Reservation", now: datetime) -> Now:
    flag = selectors.flag_of(reservation)
    if flag is not None and now >= reservation.starts_at:
        return Now(
            gettext("Waiting for its hardware"),
            gettext(
                "{detail}. It starts as soon as that is well, or when another place is free."
            ).format(detail=flag.detail),
            "danger",
            "alert-triangle",
        )
    why = selectors.why_it_waits(reservation, now=now)
    if why:
        return Now(
            gettext("Waiting for its GPU"),
            gettext("{why}. It starts as soon as the GPUs there can be relied on.").format(why=why),
            "warning",
            "alert-triangle",
        )
    if now < reservation.starts_at:
        return Now(
            gettext("Booked"),
            gettext("Your workspace is prepared when the window opens; you need not be there."),
            "info",
            "calendar-event",
            reservation.starts_at,
            gettext("Starts in"),
        )
    if now - reservation.starts_at < OVERDUE:
        return Now(
            gettext("Starting"),
            gettext("The window is open: preparation begins now."),
            "info",
            "clock",
        )
    return Now(
        gettext("Waiting for the platform"),
        gettext(
            "The window is open, but nobody has begun to prepare the workspace. "
            "The platform catches up by itself; if this stays, tell your platform administrator."
        ),
        "warning",
        "alert-triangle",
    )


def _during(reservation: "Reservation", session: "WorkspaceSession", now: datetime) -> Now:
    if session.state == "STOPPING" or reservation.ends_at <= now:
        return Now(
            gettext("Ending"), gettext("The workspace is being removed."), "secondary", "clock"
        )
    left: tuple[datetime, str] = (reservation.ends_at, gettext("Time left"))
    if session.last_error:
        return Now(
            gettext("Something went wrong; the platform is trying again"),
            _as_sentence(session.last_error),
            "warning",
            "alert-triangle",
            *left,
        )
    if session.state == "PROVISIONING":
        waiting = (
            gettext("Waiting: {waiting_for}.").format(waiting_for=session.waiting_for)
            if session.waiting_for
            else gettext("It takes moments.")
        )
        return Now(gettext("Preparing your workspace"), waiting, "info", "clock", *left)
    if session.paused_at is not None:
        return Now(
            gettext("Paused"),
            gettext(
                "Nothing worked in it for a while, so its workspace was stopped. Its files and its"
                " GPUs stay yours until the window ends: resume it, or give it back."
            ),
            "warning",
            "clock",
            *left,
        )
    if session.waiting_for:
        return Now(
            gettext("Ready, and being repaired"),
            gettext("Waiting: {waiting_for}.").format(waiting_for=session.waiting_for),
            "warning",
            "alert-triangle",
            *left,
        )
    return Now(
        gettext("Your workspace is ready"),
        gettext(
            "Save your work elsewhere before the window ends: everything in the workspace goes"
            " then."
        ),
        "success",
        "circle-check",
        *left,
    )


def _after(reservation: "Reservation", session: "WorkspaceSession | None", state: State) -> Now:
    reason = reservation.state_reason
    if state == State.FAILED:
        return Now(gettext("It failed"), _as_sentence(reason), "danger", "alert-triangle")
    word = gettext("Canceled") if state == State.CANCELED else gettext("Completed")
    if session is None:
        gone = gettext("No workspace was started.")
    elif session.state == "ENDED":
        gone = gettext("The workspace and everything in it is gone.")
    else:
        gone = gettext("The workspace is being removed.")
    icon = "ban" if state == State.CANCELED else "check"
    return Now(word, f"{_as_sentence(reason)} {gone}".strip(), "secondary", icon)


def _steps(reservation: "Reservation", session: "WorkspaceSession | None") -> tuple[Step, ...]:
    state = State(reservation.state)
    opened_at = session.opened_at if session else None
    ready_at = session.ready_at if session else None
    over = state in lifecycle.TERMINAL
    ended_at = reservation.state_changed_at if over else None
    moments: Sequence[tuple[str, datetime | None]] = (
        (
            gettext("Asked") if state in lifecycle.IS_NO_BOOKING_YET else gettext("Approved"),
            reservation.created_at,
        ),
        (gettext("Preparing"), opened_at),
        (gettext("Ready"), ready_at),
        (gettext("Ended"), ended_at),
    )
    reached = [index for index, (_, at) in enumerate(moments) if at is not None]
    last = reached[-1]
    failed = state == State.FAILED
    return tuple(
        Step(name, _progress(index, at, last=last, over=over, failed=failed), at, index == last)
        for index, (name, at) in enumerate(moments)
    )


def _progress(index: int, at: datetime | None, *, last: int, over: bool, failed: bool) -> str:
    if at is None:
        return "skipped" if over else "todo"
    if index < last:
        return "done"
    if over:
        return "failed" if failed else "done"
    return "current"


def _refresh_seconds(
    reservation: "Reservation", session: "WorkspaceSession | None", now: datetime
) -> int | None:
    """Return how often to look again; None when nothing will change any more."""
    over = State(reservation.state) in lifecycle.TERMINAL
    if over and (session is None or session.state == "ENDED"):
        return None
    far_off = reservation.state != State.ACTIVE and reservation.starts_at - now > SOON
    return REFRESH_SECONDS_WHILE_FAR_OFF if far_off else REFRESH_SECONDS


def _sentence(event: "AuditEvent", entry: history.Entry) -> str:
    said = entry.what
    if entry.changes:
        said = f"{said}: {'; '.join(map(str, entry.changes))},"
    if event.actor is not None:
        return f"{said} by {event.actor.get_full_name() or event.actor.get_username()}"
    said = said.rstrip(",")
    return f"{said}: {entry.reason}" if entry.reason and entry.is_problem else said


def _as_sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:].rstrip('.')}." if reason else ""
