"""The life of a month: open, calculated, soft closed, closed; and who pays what is idle."""

from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.core import locks
from gpuaas.core.errors import DomainError
from tokenomics.core.ledger import GRACE
from tokenomics.core.months import Month
from tokenomics.models import CostPeriod, IdlePolicy, PeriodState
from tokenomics.selectors import costs as selectors
from tokenomics.services import past, statements
from tokenomics.services.calculation import CannotCalculate, PeriodClosed, calculate, lock, write
from tokenomics.services.inputs import BadInput, check_actor

CALCULATED_AT_ONCE: Final = 12
"""So many months that are not closed are kept up to date."""


LONGEST_BATCH: Final = timedelta(seconds=30)
"""A batch of usage that is being booked is done by then."""


class TooEarly(DomainError):
    """The month, or the grace for what comes late, is not over."""

    code: ClassVar[str] = "too_early"


class OutOfOrder(DomainError):
    """An earlier month is not closed yet, or this one is not soft closed."""

    code: ClassVar[str] = "out_of_order"


class NotSettled(DomainError):
    """Something about the month is undecided, or does not add up."""

    code: ClassVar[str] = "not_settled"


def open_period(*, month: date, now: datetime) -> CostPeriod:
    """Return the period of ``month``, its first day; made where there is none.

    Idle time is paid as in the month before.  Raises `BadInput` for what is no month, or has not
    begun.
    """
    if month.day != 1:
        raise BadInput("month", f"a period is a whole month: give {month:%Y-%m}")
    known = selectors.period_of(month)
    if known:
        return known
    whole = Month(month, selectors.zone())
    if whole.starts_at > now:
        raise BadInput("month", f"{month:%Y-%m} has not begun")
    closed_before = selectors.closed_before()
    if closed_before and month < closed_before:
        raise BadInput("month", f"months are closed until {closed_before:%Y-%m}: it comes too late")
    before = CostPeriod.objects.filter(month__lt=month).first()
    made, _ = CostPeriod.objects.get_or_create(
        month=month,
        defaults={
            "currency": settings.CURRENCY,
            "time_zone": whole.zone.key,
            "starts_at": whole.starts_at,
            "ends_at": whole.ends_at,
            "idle_policy": before.idle_policy if before else IdlePolicy.PLATFORM,
        },
    )
    return made


def set_idle_policy(
    *, period: CostPeriod, policy: IdlePolicy, actor: User, now: datetime
) -> CostPeriod:
    """Say who pays what nobody booked in an open month.  Raises `FinanceOnly` or `PeriodClosed`."""
    check_actor(actor)
    with transaction.atomic():
        changed = CostPeriod.objects.filter(pk=period.pk, state=PeriodState.OPEN).update(
            idle_policy=policy
        )
        if not changed:
            raise PeriodClosed(f"{period} is not open any more: its policy stays")
        _record("policy_set", period, actor, now, policy=policy.value)
    period.refresh_from_db()
    return period


def keep_up_to_date(*, now: datetime) -> list[CostPeriod]:
    """Open this month, and calculate every month that is not closed; return those that could be."""
    current = now.astimezone(selectors.zone()).date().replace(day=1)
    open_period(month=current, now=now)
    found = []
    not_closed = CostPeriod.objects.exclude(state=PeriodState.CLOSED).order_by("-month")
    for period in list(not_closed[:CALCULATED_AT_ONCE]):
        try:
            found.append(calculate(period, now=now))
        except (CannotCalculate, PeriodClosed):
            continue  # the period says why; or somebody closed it meanwhile
    return found


def soft_close(*, period: CostPeriod, actor: User, now: datetime) -> CostPeriod:
    """Close a month that is over, but for what comes late.

    Raises `FinanceOnly`, `TooEarly`, `PeriodClosed` or `CannotCalculate`; then nothing was
    changed.
    """
    check_actor(actor)
    if now < period.ends_at:
        raise TooEarly(f"{period} ends at {period.ends_at:%Y-%m-%d %H:%M} UTC")
    past.follow(now=now)
    with transaction.atomic():
        changed = CostPeriod.objects.filter(pk=period.pk, state=PeriodState.OPEN).update(
            state=PeriodState.SOFT_CLOSED, soft_closed_at=now, soft_closed_by=actor
        )
        if not changed:
            raise PeriodClosed(_who(lock(period)))
        locked = lock(period)
        write(locked, now=now)
        _record("soft_closed", locked, actor, now)
    return locked


def close(*, period: CostPeriod, actor: User, now: datetime) -> CostPeriod:
    """Close a soft closed month for good: calculate it once more, and make its statements.

    Raises `FinanceOnly`, `TooEarly`, `OutOfOrder`, `NotSettled`, `PeriodClosed` or
    `CannotCalculate`; then nothing was changed.
    """
    check_actor(actor)
    due = period.ends_at + GRACE
    if now < due:
        raise TooEarly(f"usage still comes: {period} can be closed from {due:%Y-%m-%d %H:%M} UTC")
    # Devices and teams are followed whatever comes of closing.
    past.follow(now=now)
    with transaction.atomic():
        # No usage comes to the month from here on: what waits finds it closed.
        locks.hold_until_commit(locks.LockSpace.USAGE_MONTHS, 0, wait_at_most=LONGEST_BATCH)
        locked = lock(period)
        _refuse_unless_ready(locked)
        write(locked, now=now)
        found = selectors.reconciliation(locked)
        if not found.is_even:
            raise NotSettled(f"{locked} does not add up: look at its reconciliation")
        statements.make(locked, now=now)
        changed = CostPeriod.objects.filter(pk=locked.pk, state=PeriodState.SOFT_CLOSED).update(
            state=PeriodState.CLOSED, closed_at=now, closed_by=actor
        )
        if not changed:
            raise PeriodClosed(_who(lock(period)))
        _record("closed", locked, actor, now, total_minor=locked.summary["total_minor"])
    return CostPeriod.objects.get(pk=period.pk)


def _refuse_unless_ready(period: CostPeriod) -> None:
    """Raise unless ``period``, which is locked, is the next to be closed, and settled."""
    if period.state == PeriodState.CLOSED:
        raise PeriodClosed(_who(period))
    if period.state == PeriodState.OPEN:
        raise OutOfOrder(f"{period} is open: soft close it first")
    earlier = CostPeriod.objects.filter(month__lt=period.month)
    first = earlier.exclude(state=PeriodState.CLOSED).order_by("month").first()
    if first:
        raise OutOfOrder(f"{first} is not closed: months are closed in their order")
    waiting = selectors.adjustments(period).filter(approved_at=None, rejected_at=None).count()
    if waiting:
        raise NotSettled(f"{waiting} adjustments of {period} wait: approve or reject them first")


def _who(period: CostPeriod) -> str:
    by, at = period.closed_by, period.closed_at
    if by is None or at is None:
        by, at = period.soft_closed_by, period.soft_closed_at
    when = f" at {at:%Y-%m-%d %H:%M} UTC" if at else ""
    return f"{period} was closed already{when}" + (f" by {by}" if by else "")


def _record(what: str, period: CostPeriod, actor: User, now: datetime, **data: Any) -> None:
    audit.record(f"period.{what}", subject=period.subject, actor=actor, at=now, **data)
