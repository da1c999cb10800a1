"""What people are told of a reservation: one row in the outbox, with the change."""

from datetime import datetime

from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.notifications import selectors as notifications
from gpuaas.notifications.services import announce
from reservations import lifecycle, reminders, selectors
from reservations.models import Reservation


def tell(
    event: str,
    *,
    reservation: Reservation,
    actor: User | None,
    at: datetime,
    key: str = "",
    **more: object,
) -> None:
    """Announce ``event`` of ``reservation``, once for ``key``, or else once in its life."""
    announce(
        event,
        key=key or f"{event}:{reservation.public_id}",
        subject=reservation.subject,
        team=reservation.team,
        at=at,
        data={
            "requested_by": reservation.requested_by_id,
            "actor": actor and actor.pk,
            "resource_name": reservation.resource_name,
            "units": reservation.units,
            "purpose": reservation.purpose,
            "starts_at": reservation.starts_at.isoformat(),
            "ends_at": reservation.ends_at.isoformat(),
            **more,
        },
    )


def remind(*, now: datetime, of: Reservation | None = None) -> int:
    """Announce what is due before starts and ends, and was not announced yet; return how many.

    ``of`` narrows it to one reservation.
    """
    with transaction.atomic():
        # One that is being moved right now is looked at again at the next tick.
        soon = selectors.soon_to_start_or_end(now=now, ahead=reminders.LOOK_AHEAD)
        if of is not None:
            soon = soon.filter(pk=of.pk)
        keyed = {
            reminder.key(each.public_id): (reminder, each)
            for each in soon.select_for_update(skip_locked=True, of=("self",), no_key=True)
            if (
                reminder := reminders.due(
                    state=lifecycle.State(each.state),
                    window=each.window,
                    booked_at=each.created_at,
                    now=now,
                )
            )
        }
        new = keyed.keys() - notifications.told(keyed)
        for key in sorted(new):
            reminder, reservation = keyed[key]
            tell(
                reminder.event,
                reservation=reservation,
                actor=None,
                at=now,
                key=key,
                minutes_left=reminder.minutes_left,
            )
    return len(new)
