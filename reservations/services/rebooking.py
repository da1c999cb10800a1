"""What a flagged booking can be exchanged for, and the exchange."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core import errors, locks
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import resource_types
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Device, Pool
from reservations import answers, lifecycle, selectors
from reservations.capacity import Window
from reservations.models import Reservation
from reservations.services import admission, moves, offers, rules
from reservations.services.booking import Booking, Outcome, exclusion_as_busy
from reservations.services.refusals import NotYourTeam, StaleReservation
from reservations.services.wishes import Wish

# What is due already is offered from the next such step on, so that an offer stands for a while.
STEP: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be had instead; ``number`` names it, and changes when anything in it does."""

    pool: Pool
    wish: Wish

    @property
    def number(self) -> str:
        window, wish = self.wish.window, self.wish
        parts = (self.pool.slug, wish.resource_name, str(wish.units))
        return "|".join((*parts, window.starts_at.isoformat(), window.ends_at.isoformat()))


class NotFlagged(errors.DomainError):
    """The booking is in no trouble (any more): there is nothing to exchange it for."""

    code = "not_flagged"


class OfferGone(errors.DomainError):
    """Somebody else has it by now, or it is too late; ``offers`` are the present ones."""

    code = "offer_gone"

    def __init__(self, offers: Sequence[Offer]) -> None:
        super().__init__("this offer is gone: nothing was changed, look at the present ones")
        self.offers = tuple(offers)


def offers_for(*, reservation: Reservation, now: datetime) -> list[Offer]:
    """Return what the booking can be exchanged for, as far as rules allow it.

    The same later in its pool, the same work on other types, and the same in other pools.
    """
    wish = _wish_of(reservation, now)
    if wish.window.ends_at <= wish.window.starts_at:
        return []
    return [
        offer
        for offer in _candidates(reservation, wish, now)
        if not rules.evaluate(
            pool=offer.pool,
            team=reservation.team,
            wish=offer.wish,
            now=now,
            besides=reservation.pk,
        ).problems
    ]


def accept_offer(
    *, reservation: Reservation, number: str, actor: User, now: datetime
) -> Reservation:
    """Book the offer for the same person and end ``reservation``, both or neither.

    What runs is given back, what has not started is canceled.  Accepting again returns the same
    booking.

    Raises:
        NotYourTeam: ``actor`` may not book for the team.
        NotFlagged: the booking is in no trouble.
        OfferGone: it cannot be had any more; nothing was changed.
        LockBusy: too many were booking at once.
    """
    team, person = reservation.team, reservation.requested_by
    if not accounts.teams_bookable_by(actor, now=now).filter(pk=team.pk).exists():
        raise NotYourTeam(f"you cannot book for {team}: ask its manager to make you a member")
    public_id = uuid.uuid5(reservation.public_id, number)
    already = selectors.booked_as(public_id, by=person)
    if already is not None:
        return already
    if selectors.flag_of(reservation) is None:
        raise NotFlagged("this booking is in no trouble: there is nothing to exchange it for")
    present = offers_for(reservation=reservation, now=now)
    offer = next((each for each in present if each.number == number), None)
    if offer is None:
        raise OfferGone(present)
    wish = replace(offer.wish, public_id=public_id)
    asked = rules.evaluate(pool=offer.pool, team=team, wish=wish, now=now, besides=reservation.pk)
    rules.ensure_ledger(team, asked.terms)
    booking = Booking(offer.pool, team, person, wish, asked.terms, now)
    try:
        booked = _exchange(reservation.pk, booking, actor)
    except StaleReservation:
        raise NotFlagged("this booking was changed just now: look again") from None
    if booked is None:
        raise OfferGone(offers_for(reservation=reservation, now=now))
    return booked


def _exchange(pk: int, booking: Booking, actor: User) -> Reservation | None:
    """Do both in one transaction; None when there is no room any more, and nothing was done."""
    with exclusion_as_busy(), transaction.atomic(durable=True):
        locks.hold_until_commit(
            locks.LockSpace.POOL_CAPACITY,
            booking.pool.pk,
            wait_at_most=admission.ADMISSION_LOCK_WAIT,
        )
        old = Reservation.objects.select_related("team").get(pk=pk)
        runs = old.state == lifecycle.State.ACTIVE.value
        if not old.is_live:
            raise StaleReservation("it is over")
        moves.transition(
            reservation=old,
            target=lifecycle.State.COMPLETED if runs else lifecycle.State.CANCELED,
            reason=f"exchanged for another booking by {actor}",
            actor=actor,
            now=booking.now,
        )
        answer = admission.book_under_lock(booking)
        if answer.outcome != Outcome.BOOKED:
            transaction.set_rollback(True)
            return None
        return answer.reservation


def _wish_of(reservation: Reservation, now: datetime) -> Wish:
    starts_at = reservation.starts_at
    if starts_at <= now:
        since = datetime.min.replace(tzinfo=now.tzinfo)
        starts_at = now + STEP - (now - since) % STEP
    return Wish(
        resource_name=reservation.resource_name,
        units=reservation.units,
        window=Window(starts_at, reservation.ends_at),
        mode=AllocationMode(reservation.mode),
        cpu_millicores=reservation.cpu_millicores,
        memory_mib=reservation.memory_mib,
        storage_gib=reservation.storage_gib,
        purpose=reservation.purpose,
    )


def _on_other_types(
    reservation: Reservation, wish: Wish, now: datetime
) -> list[answers.Alternative]:
    """Return what does the same work, though the pool may have none of the type left."""
    kinds = {
        each.resource_name: answers.Kind(
            each.resource_name, each.memory_mib, each.compute_share, each.devices_per_node
        )
        for each in resource_types.of(reservation.pool)
    }
    had = Device.objects.filter(pk__in=reservation.holds.values("device")).first()
    if had is not None and wish.resource_name not in kinds:
        kinds[wish.resource_name] = answers.Kind(
            wish.resource_name, had.memory_mib, had.compute_share, devices_per_node=0
        )
    return answers.alternatives(
        selectors.node_states(reservation.pool, now=now),
        kinds.values(),
        resource_name=wish.resource_name,
        demand=wish.demand,
        window=wish.window,
        latest=wish.window.starts_at,
    )


def _candidates(reservation: Reservation, wish: Wish, now: datetime) -> Iterator[Offer]:
    pool = reservation.pool
    later = offers.first_allowed(
        pool=pool, team=reservation.team, wish=wish, now=now, besides=reservation.pk
    )
    if later is not None:
        yield Offer(pool, replace(wish, window=later))
    yield from (
        Offer(pool, replace(wish, resource_name=each.resource_name, units=each.units))
        for each in _on_other_types(reservation, wish, now)
        if not each.is_smaller and each.window == wish.window
    )
    for other in inventory.pools().exclude(pk=pool.pk):
        if offers.first_fit(pool=other, wish=wish, now=now) == wish.window:
            yield Offer(other, wish)
