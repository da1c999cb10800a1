"""What the owner of a booking is reminded of, and when.  Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reservations import lifecycle
from reservations.capacity import Window

BEFORE_THE_START: Final = timedelta(minutes=15)
# How long before the end, and how much must be left for it not to be too late for that.
BEFORE_THE_END: Final = (
    (timedelta(minutes=5), timedelta(0)),
    (timedelta(minutes=15), timedelta(minutes=7)),
    (timedelta(minutes=60), timedelta(minutes=30)),
)
LOOK_AHEAD: Final = max(BEFORE_THE_START, *(mark for mark, _ in BEFORE_THE_END))


@dataclass(frozen=True, slots=True)
class Reminder:
    """``event`` before ``deadline``, called by the ``mark`` that was passed; the truth is left."""

    event: str
    mark_minutes: int
    deadline: datetime
    minutes_left: int

    def key(self, public_id: object) -> str:
        """Return what makes it the same reminder: another deadline is another."""
        return f"{self.event}:{public_id}:{self.deadline.isoformat()}:{self.mark_minutes}"


def due(
    *, state: lifecycle.State, window: Window, booked_at: datetime, now: datetime
) -> Reminder | None:
    """Return the one reminder that is right at ``now``, whether or not it was told before.

    Only the latest counts: after an outage nobody hears of marks long passed.  None for a mark
    that lies before the booking itself, whose approval has just said the same.
    """
    if state == lifecycle.State.APPROVED:
        left = window.starts_at - now
        known = booked_at <= window.starts_at - BEFORE_THE_START
        if known and timedelta(0) < left <= BEFORE_THE_START:
            return _reminder("reservation.starting", BEFORE_THE_START, window.starts_at, left)
    if state == lifecycle.State.ACTIVE:
        left = window.ends_at - now
        for mark, least_left in BEFORE_THE_END:
            if least_left < left <= mark and window.ends_at - mark > window.starts_at:
                return _reminder("reservation.ending", mark, window.ends_at, left)
    return None


def _reminder(event: str, mark: timedelta, deadline: datetime, left: timedelta) -> Reminder:
    return Reminder(
        event=event,
        mark_minutes=round(mark / timedelta(minutes=1)),
        deadline=deadline,
        minutes_left=-(-left // timedelta(minutes=1)),  # rounded up
    )
