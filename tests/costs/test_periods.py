"""Months from open to closed: in order, once, for good; and the statements of their closing."""

import hashlib
import json
from datetime import date, datetime, timedelta

import pytest
from django.db import connection

from gpuaas.accounts.models import Team, User
from gpuaas.audit.models import AuditEvent
from tests import make
from tests.costs.october import (
    ENDS,
    MONTH,
    OVER,
    SETTLED,
    October,
    enter,
    finance,
    lines_of,
    october,
)
from tokenomics.models import (
    CostAdjustment,
    CostLine,
    CostPeriod,
    CostStatement,
    IdlePolicy,
    PeriodState,
)
from tokenomics.selectors import costs as selectors
from tokenomics.services import adjustments, calculation, inputs, periods, statements

pytestmark = pytest.mark.django_db

NOVEMBER = date(2026, 11, 1)


@pytest.fixture
def month() -> October:
    made = october()
    enter(made.by)
    return made


def closed(month: October) -> CostPeriod:
    soft = periods.soft_close(period=month.period(), actor=month.by, now=OVER)
    return periods.close(period=soft, actor=month.by, now=SETTLED)


def test_a_month_is_closed_once(month: October) -> None:
    period = closed(month)

    assert (period.state, period.closed_by, period.closed_at) == ("closed", month.by, SETTLED)
    assert period.calculated_until == ENDS
    actions = AuditEvent.objects.filter(subject="period:2026-10").values_list("action", flat=True)
    assert sorted(actions) == ["period.closed", "period.soft_closed"]
    with pytest.raises(calculation.PeriodClosed, match="2026-10 was closed already at 2026-11-04"):
        periods.close(period=period, actor=month.by, now=SETTLED)
    with pytest.raises(calculation.PeriodClosed, match="by fin"):
        periods.soft_close(period=period, actor=month.by, now=SETTLED)
    with pytest.raises(calculation.PeriodClosed, match="is closed since 2026-11-04"):
        calculation.calculate(period, now=SETTLED)
    assert AuditEvent.objects.filter(action="period.closed").count() == 1


def test_a_month_is_soft_closed_once(month: October) -> None:
    period = periods.soft_close(period=month.period(), actor=month.by, now=OVER)

    with pytest.raises(calculation.PeriodClosed, match="2026-10 was closed already at 2026-11-01"):
        periods.soft_close(period=period, actor=month.by, now=OVER)
    assert period.lines.exists()


def test_nothing_is_closed_too_early(month: October) -> None:
    period = month.period()

    with pytest.raises(periods.TooEarly, match="2026-10 ends at 2026-11-01 00:00"):
        periods.soft_close(period=period, actor=month.by, now=ENDS - timedelta(seconds=1))
    soft = periods.soft_close(period=period, actor=month.by, now=ENDS)
    with pytest.raises(periods.TooEarly, match="can be closed from 2026-11-04 00:00"):
        periods.close(period=soft, actor=month.by, now=SETTLED - timedelta(seconds=1))


def test_months_are_closed_in_order(month: October) -> None:
    october_period = month.period()
    later = periods.open_period(month=NOVEMBER, now=datetime(2026, 12, 6, tzinfo=OVER.tzinfo))
    now = later.ends_at + timedelta(days=5)

    with pytest.raises(periods.OutOfOrder, match="2026-11 is open: soft close it first"):
        periods.close(period=later, actor=month.by, now=now)
    soft = periods.soft_close(period=later, actor=month.by, now=now)
    with pytest.raises(periods.OutOfOrder, match="2026-10 is not closed"):
        periods.close(period=soft, actor=month.by, now=now)
    assert selectors.closed_before() is None
    assert october_period.state == PeriodState.OPEN


def test_only_finance_closes(month: October) -> None:
    nobody = make.user()
    period = month.period()

    for action in (periods.soft_close, periods.close):
        with pytest.raises(inputs.FinanceOnly):
            action(period=period, actor=nobody, now=SETTLED)
    with pytest.raises(inputs.FinanceOnly):
        periods.set_idle_policy(period=period, policy=IdlePolicy.SPREAD, actor=nobody, now=OVER)


def test_what_cannot_be_calculated_is_not_closed() -> None:
    month = october(booked=False)
    with pytest.raises(calculation.CannotCalculate):
        periods.soft_close(period=month.period(), actor=month.by, now=OVER)
    assert CostPeriod.objects.get(month=MONTH).state == PeriodState.OPEN

    CostPeriod.objects.filter(month=MONTH).update(state=PeriodState.SOFT_CLOSED)
    period = CostPeriod.objects.get(month=MONTH)
    with pytest.raises(calculation.CannotCalculate):
        periods.close(period=period, actor=month.by, now=SETTLED)

    assert CostPeriod.objects.get(month=MONTH).state == PeriodState.SOFT_CLOSED
    assert not CostStatement.objects.exists()


def test_what_does_not_add_up_is_not_closed(
    month: October, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft = periods.soft_close(period=month.period(), actor=month.by, now=OVER)
    real = calculation.write

    def write_and_lose_a_line(period: CostPeriod, *, now: datetime) -> None:
        real(period, now=now)
        CostLine.objects.filter(period=period, number=1).delete()

    monkeypatch.setattr(periods, "write", write_and_lose_a_line)
    with pytest.raises(periods.NotSettled, match="does not add up"):
        periods.close(period=soft, actor=month.by, now=SETTLED)
    assert CostLine.objects.filter(number=1).exists()


def test_who_closes_it_in_between_is_not_overtaken(
    month: October, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft = periods.soft_close(period=month.period(), actor=month.by, now=OVER)

    def somebody_else_closes(period: CostPeriod, *, now: datetime) -> None:
        CostPeriod.objects.filter(pk=period.pk).update(
            state=PeriodState.CLOSED, closed_at=now, closed_by=month.by
        )

    monkeypatch.setattr(statements, "make", somebody_else_closes)
    with pytest.raises(calculation.PeriodClosed, match="2026-10 was closed already"):
        periods.close(period=soft, actor=month.by, now=SETTLED)


def test_the_policy_stays_once_a_month_is_soft_closed(month: October) -> None:
    period = periods.set_idle_policy(
        period=month.period(), policy=IdlePolicy.SPREAD, actor=month.by, now=OVER
    )
    periods.soft_close(period=period, actor=month.by, now=OVER)

    with pytest.raises(calculation.PeriodClosed, match="its policy stays"):
        periods.set_idle_policy(period=period, policy=IdlePolicy.PLATFORM, actor=month.by, now=OVER)
    later = periods.open_period(month=NOVEMBER, now=SETTLED)
    assert later.idle_policy == IdlePolicy.SPREAD


def test_what_is_no_month_to_open(month: October) -> None:
    with pytest.raises(inputs.BadInput, match="a whole month: give 2026-10"):
        periods.open_period(month=date(2026, 10, 2), now=OVER)
    with pytest.raises(inputs.BadInput, match="2026-12 has not begun"):
        periods.open_period(month=date(2026, 12, 1), now=OVER)
    closed(month)
    with pytest.raises(inputs.BadInput, match="closed until 2026-11: it comes too late"):
        periods.open_period(month=date(2026, 9, 1), now=OVER)
    assert periods.open_period(month=MONTH, now=OVER).state == PeriodState.CLOSED


def test_months_are_kept_up_to_date(month: October) -> None:
    month.period()

    found = periods.keep_up_to_date(now=OVER)
    assert [each.month for each in found] == [NOVEMBER, MONTH]

    closed(month)
    assert [each.month for each in periods.keep_up_to_date(now=SETTLED)] == [NOVEMBER]
    assert CostPeriod.objects.count() == 2


def test_a_month_that_cannot_be_calculated_holds_up_no_other() -> None:
    october(booked=False)

    assert periods.keep_up_to_date(now=OVER) == []
    assert "nobody has entered a cost sheet" in CostPeriod.objects.get().problem


def test_statements_are_numbered_and_hashed(month: October) -> None:
    period = closed(month)
    found = list(selectors.statements(period))

    assert [each.number for each in found] == [f"2026-10/{n:03}" for n in range(5)]
    assert [each.cost_centre for each in found] == [
        None,
        "CC-100",
        "CC-200",
        "CC-300",
        "PLATFORM",
    ]
    assert found[0].amount_minor == sum(each.amount_minor for each in found[1:]) == 182_828
    for each in found:
        assert hashlib.sha256(each.document.encode()).hexdigest() == each.digest
        document = json.loads(each.document)
        assert document["lines_sha256"] == each.lines_digest
        assert sum(document["by_category"].values()) == each.amount_minor
        assert document["inputs"]["cost_sheet"] == period.sheet_id
    assert {each["category"] for each in json.loads(found[0].document)["pools"]} == {
        "capital",
        "maintenance",
        "power",
        "cooling",
    }


def test_a_statement_is_the_same_bytes_whatever_is_renamed(month: October) -> None:
    statement = selectors.statements(closed(month)).get(cost_centre="CC-100")
    first = lines_of(statement.period, cost_centre="CC-100")

    Team.objects.update(cost_centre="other")
    User.objects.filter(pk=month.bookings["R1"][0].requested_by_id).update(username="somebody")

    again = selectors.statements(statement.period).get(cost_centre="CC-100")
    assert again.document == statement.document
    assert lines_of(again.period, cost_centre="CC-100") == first
    assert len(first) == statement.lines
    assert selectors.lines_digest(statement.period, cost_centre="CC-100") == statement.lines_digest


def test_who_approved_an_amount_is_called_what_they_were_called_at_the_closing(
    month: October,
) -> None:
    made = entered(month.period(), month.by)
    other = finance("other")
    adjustments.approve_adjustment(adjustment=made, actor=other, now=OVER)
    period = closed(month)

    User.objects.filter(pk=other.pk).update(username="somebody")

    (line,) = lines_of(period, kind="adjustment")
    assert line.approved_by == "other"


def test_a_digest_tells_what_somebody_changed_behind_the_triggers(month: October) -> None:
    period = closed(month)
    statement = selectors.statements(period).get(cost_centre="CC-200")

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE tokenomics_costline SET purpose = 'x' WHERE cost_centre = 'CC-200'")

    assert selectors.lines_digest(period, cost_centre="CC-200") != statement.lines_digest
    assert selectors.lines_digest(period, cost_centre="CC-100") == (
        selectors.statements(period).get(cost_centre="CC-100").lines_digest
    )


def test_charged_and_shown_cost_centres(month: October) -> None:
    inputs.set_cost_centre(
        code="CC-100", name="Research", is_charged=True, actor=month.by, now=OVER
    )

    period = closed(month)

    booked_as = {
        each.cost_centre: json.loads(each.document)["booked_as"]
        for each in selectors.statements(period)
    }
    assert booked_as["CC-100"] == "chargeback"
    assert booked_as["CC-200"] == "showback"


# --- adjustments -------------------------------------------------------------------------------


def entered(period: CostPeriod, by: User, **changes: object) -> CostAdjustment:
    given = {
        "cost_centre": "CC-100",
        "amount_minor": -500,
        "currency": "EUR",
        "reason": "goodwill",
        **changes,
    }
    return adjustments.enter_adjustment(period=period, actor=by, now=OVER, **given)  # type: ignore[arg-type]


def test_an_adjustment_needs_a_second_person(month: October) -> None:
    period = calculation.calculate(month.period(), now=OVER)
    made = entered(period, month.by)
    assert not period.lines.filter(kind="adjustment").exists()

    with pytest.raises(adjustments.NotByTheSame):
        adjustments.approve_adjustment(adjustment=made, actor=month.by, now=OVER)
    line = adjustments.approve_adjustment(adjustment=made, actor=finance("other"), now=OVER)

    assert (line.kind, line.amount_minor, line.reason) == ("adjustment", -500, "goodwill")
    plain = [each for each in lines_of(period) if each.kind == "adjustment"]
    calculated = [
        each
        for each in lines_of(calculation.calculate(period, now=OVER))
        if each.kind == "adjustment"
    ]
    assert calculated[0].approved_by == "other"
    assert len(plain) == len(calculated) == 1
    assert selectors.reconciliation(period).is_even
    assert selectors.adjustments(period).count() == 1
    with pytest.raises(adjustments.Decided):
        adjustments.approve_adjustment(adjustment=made, actor=finance("other"), now=OVER)


def test_a_first_line_can_be_an_adjustment(month: October) -> None:
    made = entered(month.period(), month.by)

    line = adjustments.approve_adjustment(adjustment=made, actor=finance("other"), now=OVER)

    assert line.number == 1


def test_what_waits_for_a_word_keeps_a_month_from_closing(month: October) -> None:
    soft = periods.soft_close(period=month.period(), actor=month.by, now=OVER)
    made = entered(soft, month.by)

    with pytest.raises(periods.NotSettled, match="1 adjustments of 2026-10 wait"):
        periods.close(period=soft, actor=month.by, now=SETTLED)
    adjustments.reject_adjustment(adjustment=made, actor=month.by, now=OVER)
    with pytest.raises(adjustments.Decided):
        adjustments.reject_adjustment(adjustment=made, actor=month.by, now=OVER)

    assert periods.close(period=soft, actor=month.by, now=SETTLED).state == PeriodState.CLOSED
    assert not CostLine.objects.filter(kind="adjustment").exists()


def test_a_closed_month_is_corrected_in_an_open_one(month: October) -> None:
    period = closed(month)
    with pytest.raises(calculation.PeriodClosed, match="2026-10 is closed: correct it in 2026-11"):
        entered(period, month.by)
    november = periods.open_period(month=NOVEMBER, now=SETTLED)

    made = entered(november, month.by, corrects=MONTH, category="capital", amount_minor=700)
    line = adjustments.approve_adjustment(adjustment=made, actor=finance("other"), now=SETTLED)

    assert (line.kind, line.corrects, line.period) == ("correction", MONTH, november)
    assert line.amounts == {"capital": 700}
    after = calculation.calculate(november, now=SETTLED)
    assert selectors.reconciliation(after).is_even


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 301}, "reason"),
        ({"cost_centre": ""}, "cost_centre"),
        ({"category": "a\nb"}, "category"),
        ({"currency": "USD"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"amount_minor": 0}, "amount_minor"),
        ({"amount_minor": 2**60}, "amount_minor"),
        ({"corrects": MONTH}, "corrects"),
        ({"corrects": date(2020, 1, 1)}, "corrects"),
    ],
)
def test_an_adjustment_that_makes_no_sense(
    month: October, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(inputs.BadInput) as refused:
        entered(month.period(), month.by, **changes)

    assert refused.value.field == field


def test_only_finance_adjusts(month: October) -> None:
    made = entered(month.period(), month.by)
    nobody = make.user()

    with pytest.raises(inputs.FinanceOnly):
        entered(month.period(), nobody)
    for decide in (adjustments.approve_adjustment, adjustments.reject_adjustment):
        with pytest.raises(inputs.FinanceOnly):
            decide(adjustment=made, actor=nobody, now=OVER)
