"""What somebody has to approve: held meanwhile, then approved, rejected, or lapsed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gpuaas.accounts.models import User
from gpuaas.core import errors
from reservations import lifecycle, policy
from reservations.capacity import Window
from reservations.lifecycle import PendingOn, State
from reservations.models import Reservation
from reservations.services import moves, rules
from reservations.services.booking import Booking, hold_until_approved
from reservations.services.refusals import StaleReservation, WishRefused
from reservations.services.wishes import wish_of

LAPSE_AT_ONCE: Final = 200


class NotYoursToApprove(errors.DomainError):
    """Somebody else has to approve it."""

    code = "not_yours_to_approve"


class NotWaitingForThis(errors.DomainError):
    """It waits for another word than this one, or for none."""

    code = "not_waiting_for_this"


class HoldLapsed(errors.DomainError):
    """It was held until an instant that has passed."""

    code = "hold_lapsed"


def held(
    booking: Booking,
    problems: Sequence[policy.Problem],
    approval: rules.Approval | None = None,
    *,
    ask: bool = False,
) -> Booking:
    """Return ``booking`` on hold until somebody has set ``problems`` aside, or refuse it.

    Of itself only what breaks nothing but thresholds of approval, and not for people who may
    approve it themselves, or tried to: they say so, with a reason.  With ``ask`` it is held
    whatever is against it that somebody may set aside.

    Raises:
        WishRefused: it is not held.
    """
    hold = hold_until_approved(problems, booking.wish.window, now=booking.now)
    if hold is None or hold.approver is None:
        raise WishRefused(problems)
    if not ask:
        authority = rules.authority_over(booking.team, person=booking.actor, now=booking.now)
        is_threshold = all(each.code == "approval_needed" for each in problems)
        is_theirs = authority is not None and authority >= hold.approver
        if approval is not None or is_theirs or not is_threshold:
            raise WishRefused(problems)
    return replace(booking, terms=replace(booking.terms, hold=hold))


def can_be_held(problems: Sequence[policy.Problem], window: Window, *, now: datetime) -> bool:
    """Return whether somebody could set all of ``problems`` aside in time, if asked to."""
    return hold_until_approved(problems, window, now=now) is not None


def approve(*, reservation: Reservation, actor: User, now: datetime, reason: str = "") -> None:
    """Book what waits for approval; it has its node and its devices already.

    The rules are looked at as they are now, over the wish as it was made then: who may set aside
    what speaks against it may approve it.

    Raises:
        NotWaitingForThis: it does not wait for approval.
        HoldLapsed: it is too late.
        NotYoursToApprove: it takes somebody else.
        WishRefused: meanwhile something is against it that nobody can set aside.
        StaleReservation: somebody else decided just now.
    """
    check_waits_for(reservation, PendingOn.APPROVER, now=now)
    authority = _authority(reservation, actor, now)
    against = rules.evaluate(
        pool=reservation.pool,
        team=reservation.team,
        wish=wish_of(reservation),
        now=reservation.created_at,
        besides=reservation.pk,
    ).problems
    hard = [each for each in against if not each.is_overridable]
    if hard:
        raise WishRefused(hard)
    if any(not each.may_be_set_aside_by(authority) for each in against):
        raise NotYoursToApprove(f"this takes {policy.Approver.PLATFORM_ADMIN.title}")
    codes = sorted({*reservation.overridden, *(each.code for each in against)})
    moves.transition(
        reservation=reservation,
        target=State.APPROVED,
        reason=f"approved by {actor}" + (f": {reason.strip()}" if reason.strip() else ""),
        actor=actor,
        now=now,
        fields={"overridden": codes, "approved_by": actor},
    )


def reject(*, reservation: Reservation, actor: User, reason: str, now: datetime) -> None:
    """Turn down what waits for approval, with a reason; its capacity comes back.

    Raises:
        NotWaitingForThis, HoldLapsed, NotYoursToApprove, StaleReservation: as `approve`.
        WishRefused: there is no reason.
    """
    check_waits_for(reservation, PendingOn.APPROVER, now=now)
    _authority(reservation, actor, now)
    if not reason.strip():
        message = "say why it is rejected: whoever asked is told"
        raise WishRefused([policy.Problem("reason_missing", "reason", message)])
    moves.transition(
        reservation=reservation,
        target=State.CANCELED,
        reason=f"rejected by {actor}: {reason.strip()}",
        actor=actor,
        now=now,
        event="reservation.rejected",
    )


def lapse_due(*, now: datetime) -> list[Reservation]:
    """End what was held and nobody gave their word for in time; return it.

    Whatever was decided meanwhile is left alone.  A bounded number; the next call goes on.
    """
    due = (
        Reservation.objects.filter(state=State.PENDING.value, held_until__lte=now)
        .select_related("team", "pool", "requested_by")
        .order_by("held_until", "pk")[:LAPSE_AT_ONCE]
    )
    lapsed = []
    for each in due:
        on_approver = each.pending_on == PendingOn.APPROVER
        try:
            moves.transition(
                reservation=each,
                target=State.CANCELED,
                reason=(
                    "nobody approved it in time" if on_approver else "it was not taken in time"
                ),
                actor=None,
                now=now,
                event="reservation.rejected" if on_approver else "reservation.hold_lapsed",
            )
        except StaleReservation:
            continue
        lapsed.append(each)
    return lapsed


def check_waits_for(reservation: Reservation, word: PendingOn, *, now: datetime) -> None:
    """Refuse unless ``reservation`` waits for that word, and it is not too late for it."""
    if reservation.state != State.PENDING or reservation.pending_on != word:
        what = "an approval" if word == PendingOn.APPROVER else "the word of its person"
        state = lifecycle.State(reservation.state).value
        raise NotWaitingForThis(f"it does not wait for {what}: it is {state}")
    until = reservation.held_until
    if until is not None and until <= now:
        raise HoldLapsed(f"it was held until {until:%Y-%m-%d %H:%M} UTC: book anew")


def _authority(reservation: Reservation, actor: User, now: datetime) -> policy.Approver:
    authority = rules.authority_over(reservation.team, person=actor, now=now)
    if authority is None:
        raise NotYoursToApprove(f"this takes {policy.Approver.MANAGER.title}")
    return authority
