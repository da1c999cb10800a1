"""Two people close a month at once, and somebody adjusts it: with the lock and without."""

from collections.abc import Callable
from threading import Barrier

import pytest
from django.db import DatabaseError

from gpuaas.core import locks
from gpuaas.core.errors import DomainError
from tests.concurrency.threads import at_once
from tests.costs.october import OVER, SETTLED, enter, finance, october
from tokenomics.models import CostLine, CostPeriod, CostStatement, PeriodState
from tokenomics.services import adjustments, calculation, periods

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def soft() -> CostPeriod:
    month = october(booked=False)
    enter(month.by)
    return periods.soft_close(period=month.period(), actor=month.by, now=OVER)


def closing(period: CostPeriod, name: str) -> Callable[[], str]:
    person = finance(name)

    def action() -> str:
        try:
            periods.close(period=period, actor=person, now=SETTLED)
        except DomainError as refused:
            return refused.code
        except DatabaseError:
            return "refused by the database"
        return "closed"

    return action


def test_of_two_that_close_a_month_one_does(soft: CostPeriod) -> None:
    outcomes = at_once([closing(soft, "one"), closing(soft, "two")])

    assert sorted(outcomes) == ["closed", "period_closed"]
    assert CostStatement.objects.filter(cost_centre=None).count() == 1


def test_without_the_locks_the_database_has_to_refuse(
    soft: CostPeriod, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Barrier(2, timeout=30)

    def look_without_lock(period: CostPeriod) -> CostPeriod:
        found = CostPeriod.objects.get(pk=period.pk)
        together.wait()
        return found

    # Neither the period's row nor the months of usage are locked.
    monkeypatch.setattr(periods, "lock", look_without_lock)
    monkeypatch.setattr(locks, "hold_until_commit", lambda *_, **__: None)
    outcomes = at_once([closing(soft, "one"), closing(soft, "two")])

    assert sorted(outcomes) == ["closed", "refused by the database"]
    assert CostStatement.objects.filter(cost_centre=None).count() == 1


def test_an_adjustment_and_the_closing_wait_for_each_other(soft: CostPeriod) -> None:
    made = adjustments.enter_adjustment(
        period=soft,
        cost_centre="CC",
        amount_minor=100,
        currency="EUR",
        reason="x",
        actor=finance("three"),
        now=OVER,
    )
    person = finance("four")

    def approve() -> str:
        adjustments.approve_adjustment(adjustment=made, actor=person, now=OVER)
        return "approved"

    outcomes = at_once([approve, closing(soft, "one")])

    # The closing waits for a word on every adjustment: either it came in time, or it is refused.
    assert outcomes[0] == "approved"
    period = CostPeriod.objects.get(pk=soft.pk)
    lines = CostLine.objects.filter(adjustment=made).count()
    assert lines == 1
    if outcomes[1] == "closed":
        assert period.state == PeriodState.CLOSED
        assert CostStatement.objects.get(cost_centre="CC").amount_minor == 100
    else:
        assert outcomes[1] == "not_settled"
        assert period.state == PeriodState.SOFT_CLOSED


def test_calculating_does_not_undo_a_closing(soft: CostPeriod) -> None:
    def calculate() -> str:
        try:
            calculation.calculate(soft, now=SETTLED)
        except calculation.PeriodClosed as refused:
            return refused.code
        return "calculated"

    outcomes = at_once([closing(soft, "one"), calculate])

    assert outcomes[0] == "closed"
    assert outcomes[1] in {"calculated", "period_closed"}
    assert CostPeriod.objects.get(pk=soft.pk).state == PeriodState.CLOSED
