"""Ending later: how long a booking can be extended, and extending it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.core import locks
from gpuaas.inventory.models import Pool
from reservations import answers, facts, lifecycle, placement, policy, selectors
from reservations.answers import Bound, Extension
from reservations.capacity import Window
from reservations.models import DeviceHold, Reservation
from reservations.services import admission, holds, offers, rules, telling
from reservations.services.booking import Terms, exclusion_as_busy
from reservations.services.refusals import (
    CannotExtend,
    NotYourTeam,
    StaleReservation,
    WishRefused,
)
from reservations.services.wishes import wish_of

OF_THE_WHOLE: Final = frozenset({"window_too_long", "approval_needed"})
OF_WHAT_IS_ADDED: Final = frozenset(
    {"pool_not_allowed", "too_many_units_at_once", "gpu_hours_per_week", "budget_exceeded"}
)
_MINUTE: Final = timedelta(minutes=1)
_AGAIN: Final = "somebody else changed this reservation just now: look again"


@dataclass(frozen=True, slots=True)
class _Calendar:
    """The booking as it stands among the others of its node; ``held`` is its own entry."""

    states: list[placement.NodeState]
    node: placement.NodeState
    held: placement.Held


def longest_extension(*, reservation: Reservation, now: datetime) -> Extension:
    """Return the latest end that the reservation can have at the moment, and what bounds it.

    Raises:
        CannotExtend: it is over, or its node is out of service.
    """
    longest = _longest(_calendar(reservation, now), _at_most(reservation))
    return _within_rules(reservation, longest, now)


def extend(
    *, reservation: Reservation, ends_at: datetime | None, actor: User, now: datetime
) -> Reservation:
    """Let the reservation end later: at ``ends_at``, or as late as possible where that is None.

    Under the pool's capacity lock, as admission.  One that has started keeps its devices; bookings
    that have not are moved out of its way.  The end it has already is no change and no error.

    As late as possible is as far as calendar, rules and budget let it; where the rules allow
    nothing more they say so.

    Raises:
        NotYourTeam: the team is archived: it ends what it has, and gets no more.
        CannotExtend: there is no room until then; it says until when there is.
        WishRefused: rules speak against the new end.
        StaleReservation: somebody changed it, or its session is being stopped already.
        LockBusy: too many were booking at once.
    """
    locks.refuse_enclosing_transaction()
    if ends_at == reservation.ends_at:
        return reservation
    if not reservation.team.is_active:
        raise NotYourTeam(
            f"{reservation.team} is archived: a platform administrator brings it back"
        )
    at_most = _at_most(reservation)
    for _ in range(admission.EVALUATIONS):
        until = ends_at or _as_late_as_possible(reservation, at_most, now)
        terms = _terms(reservation, until, now)
        rules.ensure_ledger(reservation.team, terms)
        with exclusion_as_busy(), transaction.atomic(durable=True):
            locks.hold_until_commit(
                locks.LockSpace.POOL_CAPACITY,
                _pool_of(reservation).pk,
                wait_at_most=admission.ADMISSION_LOCK_WAIT,
            )
            if not admission.ledger_stands(reservation.team, terms):
                continue
            found = _find_room(reservation, until, at_most, now)
            if isinstance(found, placement.Placement):
                _write(reservation, until, found, terms, actor=actor, now=now)
                return reservation
            transaction.set_rollback(True)  # nothing was spent
        # What comes after it is looked for without the lock.
        raise _with_what_follows(found, reservation, until, now)
    raise locks.LockBusy("others of your team are booking right now: try again")


def _with_what_follows(
    refusal: CannotExtend, reservation: Reservation, ends_at: datetime, now: datetime
) -> CannotExtend:
    """Return the refusal with the first window in which the rest of the time could be booked."""
    if ends_at - refusal.until < policy.SHORTEST:
        return refusal
    begins = max(refusal.until, now)
    rest = wish_of(reservation, window=Window(begins, begins + (ends_at - refusal.until)))
    afterwards = offers.first_allowed(
        pool=_pool_of(reservation), team=reservation.team, wish=rest, now=now
    )
    return CannotExtend(
        ends_at=refusal.ends_at,
        until=refusal.until,
        because=refusal.because,
        afterwards=afterwards,
    )


def _find_room(
    reservation: Reservation, until: datetime, at_most: datetime, now: datetime
) -> placement.Placement | CannotExtend:
    while True:
        calendar = _calendar(reservation, now)
        longest = _longest(calendar, at_most)
        place = (
            placement.stretch(calendar.node, calendar.held, until=until)
            if reservation.ends_at < until <= longest.until
            else None
        )
        if place is None:
            return CannotExtend(
                ends_at=reservation.ends_at, until=longest.until, because=longest.because
            )
        if admission.lock_waiting(place.moved):
            return place


def _write(
    reservation: Reservation,
    until: datetime,
    place: placement.Placement,
    terms: Terms,
    *,
    actor: User,
    now: datetime,
) -> None:
    """Compare-and-swap on state and end; then the devices, all going before any comes."""
    before = reservation.ends_at
    changed_rows = Reservation.objects.filter(
        pk=reservation.pk, state=reservation.state, ends_at=before, end_begun_at=None
    ).update(ends_at=until, cost_minor=F("cost_minor") + terms.cost_minor)
    if changed_rows == 0:
        raise StaleReservation(_AGAIN)
    reservation.ends_at = until
    reservation.cost_minor += terms.cost_minor
    DeviceHold.objects.filter(reservation=reservation).delete()
    holds.exchange(place.moved, at=now)
    holds.hold(reservation, place.devices)
    audit.record(
        "reservation.extended",
        subject=reservation.subject,
        actor=actor,
        team=reservation.team,
        at=now,
        came_from=before.isoformat(),
        ends_at=until.isoformat(),
    )
    event = "reservation.extended"
    key = f"{event}:{reservation.public_id}:{until.isoformat()}"
    telling.tell(event, reservation=reservation, actor=actor, at=now, key=key)


def _terms(reservation: Reservation, until: datetime, now: datetime) -> Terms:
    """Return what the added time costs, or refuse what rules forbid.

    Lengths and approvals are about the whole window; what is counted, and paid, about what is
    added: the team's own booking does not stand against itself.
    """
    problems, terms = _evaluated(reservation, until, now)
    if problems:
        raise WishRefused(problems)
    return terms


def _evaluated(
    reservation: Reservation, until: datetime, now: datetime
) -> tuple[Sequence[policy.Problem], Terms]:
    if until < reservation.ends_at:
        at = f"{reservation.ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        message = f"it ends later than that already: choose an end after {at}"
        return [policy.Problem("not_an_extension", "ends_at", message)], Terms()
    whole = _evaluate(reservation, Window(reservation.starts_at, until), now)
    added = _evaluate(reservation, Window(reservation.ends_at, until), now)
    against = [
        *(each for each in whole.problems if each.code in OF_THE_WHOLE),
        *(each for each in added.problems if each.code in OF_WHAT_IS_ADDED),
    ]
    return [each for each in against if not _stays_approved(reservation, each)], added.terms


def _stays_approved(reservation: Reservation, problem: policy.Problem) -> bool:
    """Who approved the units has approved these; more time and more money nobody has approved."""
    return problem.code in reservation.overridden and problem.field == "units"


def _evaluate(reservation: Reservation, window: Window, now: datetime) -> rules.Evaluation:
    wish = wish_of(reservation, window=window)
    return rules.evaluate(pool=reservation.pool, team=reservation.team, wish=wish, now=now)


def _at_most(reservation: Reservation) -> datetime:
    """Return the latest end that the product, the pool and the team allow."""
    of = facts.standing_rules(
        pool=reservation.pool,
        team=reservation.team,
        resource_name=reservation.resource_name,
        at=reservation.starts_at,
    )
    bounds = [policy.LONGEST, *(each.longest for each in of.rules.sources if each.longest)]
    return reservation.starts_at + min(bounds)


def _as_late_as_possible(reservation: Reservation, at_most: datetime, now: datetime) -> datetime:
    """Return the latest end with room that rules allow; where they allow none, the room's."""
    longest = _longest(_calendar(reservation, now), at_most)
    allowed = _within_rules(reservation, longest, now).until
    return allowed if allowed > reservation.ends_at else longest.until


def _within_rules(reservation: Reservation, longest: Extension, now: datetime) -> Extension:
    """Return how much of ``longest`` the rules allow, to the minute.

    What they allow for a while they allow for less: so few ends are tried.
    """
    ends_at = reservation.ends_at

    def is_allowed(until: datetime) -> bool:
        return not _evaluated(reservation, until, now)[0]

    if longest.until <= ends_at or is_allowed(longest.until):
        return longest
    good, bad = 0, -(-(longest.until - ends_at) // _MINUTE)
    while bad - good > 1:
        middle = (good + bad) // 2
        if is_allowed(ends_at + middle * _MINUTE):
            good = middle
        else:
            bad = middle
    return Extension(ends_at + good * _MINUTE, Bound.RULES)


def _longest(calendar: _Calendar, at_most: datetime) -> Extension:
    return answers.longest_extension(calendar.node, calendar.held, at_most=at_most)


def _calendar(reservation: Reservation, now: datetime) -> _Calendar:
    stands = lifecycle.State(reservation.state)
    if stands in lifecycle.IS_NO_BOOKING_YET:
        raise CannotExtend(
            ends_at=reservation.ends_at, until=reservation.ends_at, because=Bound.NOT_APPROVED
        )
    if stands in lifecycle.TERMINAL or reservation.ends_at <= now:
        raise CannotExtend(
            ends_at=reservation.ends_at, until=reservation.ends_at, because=Bound.OVER
        )
    states = selectors.node_states(_pool_of(reservation), now=now)
    for state in states:
        for held in state.held:
            if held.reservation == reservation.pk:
                if held.booking.window != reservation.window:
                    raise StaleReservation(_AGAIN)
                return _Calendar(states, state, held)
    if any(state.node == reservation.node_id for state in states):
        raise StaleReservation(_AGAIN)
    raise CannotExtend(
        ends_at=reservation.ends_at, until=reservation.ends_at, because=Bound.OUT_OF_SERVICE
    )


def _pool_of(reservation: Reservation) -> Pool:
    # Where its node is now: that pool's lock guards it.
    return reservation.placed_on.pool or reservation.pool
