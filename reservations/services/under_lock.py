"""What is done under a pool's capacity lock: look at the calendar as it is, find a place, book."""

from collections.abc import Mapping, Sequence

from django.db.models import F

from gpuaas.accounts.models import Team
from gpuaas.audit import services as audit
from gpuaas.notifications import services as notifications
from reservations import lifecycle, placement, selectors
from reservations.models import Reservation, TeamLedger
from reservations.services import holds
from reservations.services.booking import Answer, Booking, Outcome, Terms


def book_under_lock(booking: Booking) -> Answer:
    """Book it, if it has a place; the caller holds the pool's capacity lock."""
    if not ledger_stands(booking.team, booking.terms):
        return Answer(Outcome.LEDGER_MOVED)
    place = find_place(booking)
    return Answer(Outcome.BOOKED, _book(booking, place)) if place else Answer(Outcome.FULL)


def ledger_stands(team: Team, terms: Terms) -> bool:
    """Raise the team's ledger from the version that its limits were evaluated at.

    Where its cost centre has a budget, all ledgers of that are locked in their order, and stand as
    long as their sum does.
    """
    version = terms.ledger_version
    if version is None:
        return True
    if terms.ledgers_of:
        all_of_them = TeamLedger.objects.filter(team__in=terms.ledgers_of).order_by("pk")
        if sum(each.version for each in all_of_them.select_for_update()) != version:
            return False
        return TeamLedger.objects.filter(team=team).update(version=F("version") + 1) == 1
    ledger = TeamLedger.objects.filter(team=team, version=version)
    return ledger.update(version=version + 1) == 1


def find_place(booking: Booking) -> placement.Placement | None:
    """Return where in the calendar, as it is now, the wish goes.

    Canceling and starting take no pool lock.  So the bookings that are to exchange devices are
    locked themselves, and if one of them has left or started meanwhile, we look again.
    """
    wish = booking.wish
    while True:
        place = placement.place(
            selectors.node_states(booking.pool, now=booking.now),
            resource_name=wish.resource_name,
            demand=wish.demand,
            window=wish.window,
        )
        if place is None or lock_waiting(place.moved):
            return place


def lock_waiting(reservations: Mapping[int, Sequence[int]]) -> bool:
    """Lock those of ``reservations`` that have not started; return whether that is all of them."""
    if not reservations:
        return True
    waiting = Reservation.objects.filter(
        pk__in=list(reservations), state__in=lifecycle.WAITS_FOR_ITS_START
    ).select_for_update()
    return len(waiting.order_by("pk").values_list("pk")) == len(reservations)


def _book(booking: Booking, place: placement.Placement) -> Reservation:
    reservation = booking.on(place.node)
    reservation.save(force_insert=True)
    holds.exchange(place.moved, at=booking.now)
    holds.hold(reservation, place.devices)
    event, subject, team = booking.event, reservation.subject, booking.team
    audit.record(
        event,
        subject=subject,
        actor=booking.actor,
        team=team,
        at=booking.now,
        **booking.data,
    )
    notifications.announce(
        event,
        key=f"{event}:{reservation.public_id}",
        subject=subject,
        team=team,
        at=booking.now,
        data=booking.told,
    )
    return reservation
