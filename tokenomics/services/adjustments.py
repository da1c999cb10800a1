"""Amounts that people enter: one with a reason, another approves, then they are lines."""

from datetime import date, datetime
from typing import ClassVar, Final

from django.db import transaction
from django.db.models import Max

from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core.errors import DomainError
from gpuaas.core.money import Money
from tokenomics.models import CostAdjustment, CostLine, CostPeriod, PeriodState
from tokenomics.selectors import costs as selectors
from tokenomics.services.calculation import PeriodClosed, entered_line, lock
from tokenomics.services.inputs import (
    LONGEST_CODE,
    MOST_MINOR,
    BadInput,
    check_actor,
    check_currency,
    check_text,
)

LONGEST_REASON: Final = 300


class NotByTheSame(DomainError):
    """Whoever entered an amount does not approve it."""

    code: ClassVar[str] = "second_person_needed"


class Decided(DomainError):
    """The adjustment was approved or rejected already."""

    code: ClassVar[str] = "decided_already"


def enter_adjustment(  # noqa: PLR0913 -- an amount has that many sides
    *,
    period: CostPeriod,
    cost_centre: str,
    amount_minor: int,
    currency: str,
    reason: str,
    actor: User,
    now: datetime,
    team: Team | None = None,
    category: str = "adjustment",
    corrects: date | None = None,
) -> CostAdjustment:
    """Enter an amount, minor units, for a month that is not closed; it counts once approved.

    ``corrects`` is the first day of the closed month that it corrects.  Raises `FinanceOnly`,
    `BadInput` or `PeriodClosed`.
    """
    check_actor(actor)
    check_text("cost_centre", cost_centre, LONGEST_CODE)
    check_text("category", category, LONGEST_CODE)
    check_text("reason", reason, LONGEST_REASON)
    check_currency(currency)
    if not 0 < abs(amount_minor) <= MOST_MINOR:
        raise BadInput("amount_minor", f"give up to {MOST_MINOR} minor units, and not nothing")
    if corrects is not None:
        _check_corrected(corrects)
    with transaction.atomic():
        _open(period, now)
        made = CostAdjustment.objects.create(
            period=period,
            cost_centre=cost_centre,
            team=team,
            category=category,
            amount_minor=amount_minor,
            currency=currency,
            reason=reason.strip(),
            corrects=corrects,
            entered_by=actor,
            entered_at=now,
        )
        _record("entered", made, actor, now)
    return made


def approve_adjustment(*, adjustment: CostAdjustment, actor: User, now: datetime) -> CostLine:
    """Make an adjustment a line of its month.

    Raises `FinanceOnly`, `NotByTheSame`, `Decided` or `PeriodClosed`.
    """
    check_actor(actor)
    if actor.pk == adjustment.entered_by_id:
        raise NotByTheSame("somebody else than who entered it approves an amount")
    with transaction.atomic():
        period = _open(adjustment.period, now)
        _decide(adjustment, approved_by=actor, approved_at=now)
        adjustment.refresh_from_db()
        lines = CostLine.objects.filter(period=period)
        last = lines.aggregate(last=Max("number"))["last"] or 0
        line = entered_line(adjustment, number=last + 1)
        line.save(force_insert=True)
        _record("approved", adjustment, actor, now)
    return line


def reject_adjustment(*, adjustment: CostAdjustment, actor: User, now: datetime) -> None:
    """Say that an adjustment is not to count.

    Raises `FinanceOnly`, `Decided` or `PeriodClosed`.
    """
    check_actor(actor)
    with transaction.atomic():
        _open(adjustment.period, now)
        _decide(adjustment, rejected_at=now)
        _record("rejected", adjustment, actor, now)


def _decide(adjustment: CostAdjustment, **decision: object) -> None:
    undecided = CostAdjustment.objects.filter(pk=adjustment.pk, approved_at=None, rejected_at=None)
    if not undecided.update(**decision):
        raise Decided("somebody has approved or rejected it already: look again")


def _open(period: CostPeriod, now: datetime) -> CostPeriod:
    locked = lock(period)
    if locked.state == PeriodState.CLOSED:
        nearest = selectors.open_month(at=now)
        raise PeriodClosed(f"{locked} is closed: correct it in {nearest:%Y-%m}")
    return locked


def _check_corrected(month: date) -> None:
    corrected = selectors.period_of(month)
    if corrected is None or corrected.state != PeriodState.CLOSED:
        raise BadInput("corrects", f"{month:%Y-%m} is no closed month: adjust it itself")


def _record(what: str, adjustment: CostAdjustment, actor: User, now: datetime) -> None:
    audit.record(
        f"adjustment.{what}",
        subject=f"adjustment:{adjustment.public_id}",
        actor=actor,
        at=now,
        period=str(adjustment.period),
        cost_centre=adjustment.cost_centre,
        amount=str(Money(adjustment.amount_minor, adjustment.currency)),
        reason=adjustment.reason,
    )
