"""What the database itself refuses: to change what is closed, and what is kept for good."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from gpuaas.inventory.models import Pool
from tests import make
from tests.conftest import COSTS
from tokenomics.models import (
    CostAdjustment,
    CostCentre,
    CostCentreBudget,
    CostLine,
    CostPeriod,
    CostPool,
    CostSheet,
    CostStatement,
    PeriodState,
)

pytestmark = pytest.mark.django_db

STARTS, ENDS = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def pool() -> Pool:
    return make.pool()


@pytest.fixture
def period() -> CostPeriod:
    return a_period(date(2026, 10, 1))


def a_period(month: date) -> CostPeriod:
    return CostPeriod.objects.create(
        month=month, currency="EUR", time_zone="UTC", starts_at=STARTS, ends_at=ENDS
    )


def fill(period: CostPeriod, pool: Pool) -> None:
    """Put one row of everything into ``period``."""
    adjustment = CostAdjustment.objects.create(
        period=period,
        cost_centre="CC",
        amount_minor=-5,
        currency="EUR",
        reason="goodwill",
        entered_by=make.user(),
        entered_at=make.NOON,
    )
    CostPool.objects.create(period=period, pool=pool, category="capital", amount_minor=100)
    CostLine.objects.create(
        period=period,
        number=1,
        kind="adjustment",
        currency="EUR",
        amounts={"adjustment": -5},
        amount_minor=-5,
        adjustment=adjustment,
    )
    CostStatement.objects.create(
        number=f"{period}-1",
        period=period,
        is_charged=False,
        document="{}",
        digest="d",
        lines_digest="d",
        lines=1,
        amount_minor=-5,
        currency="EUR",
        made_at=make.NOON,
    )


def close(period: CostPeriod) -> None:
    person = make.user()
    sheet = CostSheet.objects.create(
        document="", currency="EUR", reason="first", entered_by=person, entered_at=make.NOON
    )
    rows = CostPeriod.objects.filter(pk=period.pk)
    rows.update(state=PeriodState.SOFT_CLOSED)
    rows.update(
        state=PeriodState.CLOSED,
        sheet=sheet,
        closed_at=make.NOON,
        closed_by=person,
        calculated_until=ENDS,
    )


def refused(action: Callable[[], object], match: str) -> None:
    with pytest.raises(DatabaseError, match=match), transaction.atomic():
        action()


UPDATE = "UPDATE {} SET amount_minor = 7"
MOVE = "UPDATE {} SET period_id = {}"
DELETE = "DELETE FROM {}"


def run(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.rowcount)


OF_A_PERIOD = tuple(
    f"tokenomics_cost{name}" for name in ("line", "pool", "adjustment", "statement")
)


@pytest.mark.parametrize("name", OF_A_PERIOD)
def test_nothing_of_a_closed_period_changes(name: str, period: CostPeriod, pool: Pool) -> None:
    fill(period, pool)
    update, delete = UPDATE.format(name), DELETE.format(name)
    assert run(update) == 1

    close(period)

    refused(lambda: run(update), "2026-10 is closed: UPDATE")
    refused(lambda: run(delete), "2026-10 is closed: DELETE")


def test_nothing_comes_into_a_closed_period(period: CostPeriod, pool: Pool) -> None:
    other = a_period(date(2026, 11, 1))
    close(period)
    fill(other, pool)

    refused(lambda: fill(period, pool), "2026-10 is closed: INSERT")
    for name in OF_A_PERIOD:
        refused(partial(run, MOVE.format(name, period.pk)), "2026-10 is closed: UPDATE")


def test_a_closed_period_stays_as_it_is(period: CostPeriod) -> None:
    close(period)
    rows = CostPeriod.objects.filter(pk=period.pk)

    refused(lambda: rows.update(problem="x"), "2026-10 is closed: UPDATE")
    refused(lambda: rows.update(state=PeriodState.OPEN), "2026-10 is closed: UPDATE")
    refused(rows.delete, "2026-10 is closed: DELETE")


def test_a_period_goes_forwards_only(period: CostPeriod) -> None:
    rows = CostPeriod.objects.filter(pk=period.pk)

    refused(lambda: rows.update(state=PeriodState.CLOSED), "from open to soft closed to closed")
    refused(lambda: rows.update(month=date(2026, 9, 1)), "stays the same month")
    rows.update(state=PeriodState.SOFT_CLOSED)
    refused(lambda: rows.update(state=PeriodState.OPEN), "from open to soft closed to closed")
    refused(lambda: rows.update(idle_policy="spread"), "from open to soft closed to closed")

    assert rows.delete()[0] == 1


def test_what_finance_entered_is_kept() -> None:
    person = make.user()
    CostSheet.objects.create(
        document="", currency="EUR", reason="first", entered_by=person, entered_at=make.NOON
    )
    CostCentreBudget.objects.create(
        cost_centre=CostCentre.objects.create(code="CC"),
        valid_from=date(2026, 10, 1),
        amount_minor=1,
        currency="EUR",
        set_by=person,
        set_at=make.NOON,
    )

    for table in ("tokenomics_costsheet", "tokenomics_costcentrebudget"):
        for sql in ("UPDATE {} SET currency = 'USD'", DELETE):
            refused(partial(run, sql.format(table)), "append-only")


@pytest.mark.parametrize("name", COSTS)
def test_no_table_of_money_is_emptied(name: str) -> None:
    table = f"tokenomics_cost{name}"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_no_truncate")
        try:
            refused(lambda: cursor.execute(f"TRUNCATE {table} CASCADE"), "append-only: TRUNCATE")
        finally:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_truncate")
