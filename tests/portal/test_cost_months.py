"""Finance closes a month on its page, and then its files stay the same to the byte."""

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.test import Client

from gpuaas.accounts.models import Team
from tests import make
from tests.costs import october
from tests.costs.october import ENDS, SETTLED, October
from tokenomics.models import CostLine, CostPeriod, CostPool, PeriodState
from tokenomics.selectors import exports as files
from tokenomics.selectors import reports
from tokenomics.services import calculation, exports

pytestmark = pytest.mark.django_db
PAGE = "/costs/2026-10/reconciliation/"
MOVE = "/costs/2026-10/move/"


@pytest.fixture
def month() -> October:
    found = october.october()
    october.enter(found.by)
    found.worked("R1", 55)
    calculation.calculate(found.period(), now=ENDS)
    return found


@pytest.fixture
def fin(client: Client, month: October) -> Client:
    client.force_login(month.by)
    return client


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Let it be another time on the page."""

    def it_is(instant: datetime) -> None:
        clock = SimpleNamespace(now=lambda: instant)
        monkeypatch.setattr("gpuaas.portal.views.months.timezone", clock)

    return it_is


def text_of(client: Client) -> str:
    answer = client.get(PAGE)
    assert answer.status_code == 200
    return answer.content.decode()


def state() -> str:
    return CostPeriod.objects.get(month=october.MONTH).state


def move(client: Client, step: str, **more: str) -> str:
    answer = client.post(MOVE, {"step": step, **more}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_month_that_adds_up_says_so(fin: Client) -> None:
    text = text_of(fin)

    for said in ("Everything adds up", "CC-100", "1,488.00", "Soft close 2026-10"):
        assert said in text


def test_a_month_that_does_not_add_up_says_where(fin: Client) -> None:
    pool = CostPool.objects.filter(category="capital").first()
    assert pool is not None
    CostPool.objects.filter(pk=pool.pk).update(amount_minor=pool.amount_minor + 7)
    line = CostLine.objects.first()
    assert line is not None
    CostLine.objects.filter(pk=line.pk).update(gpu_ns=0, amount_minor=0)

    text = text_of(fin)

    for said in ("It does not add up", "0.07 EUR", "1 lines are not the sum"):
        assert said in text
    assert "Everything adds up" in move(fin, "calculate")


def test_closing_is_said_twice_and_in_order(fin: Client, at: Callable[[datetime], None]) -> None:
    at(SETTLED + timedelta(hours=1))
    assert "say that you are sure" in move(fin, "soft")
    assert state() == PeriodState.OPEN
    assert "soft close it first" in move(fin, "close", sure="1")
    assert "2026-10 is soft closed" in move(fin, "soft", sure="1")
    text = move(fin, "close", sure="1")

    assert state() == PeriodState.CLOSED
    for said in ("2026-10 is closed", "Statements", "CC-100", "SHA-256"):
        assert said in text
    assert "is closed" in move(fin, "calculate")


def test_too_early_is_said(fin: Client, at: Callable[[datetime], None]) -> None:
    at(ENDS - timedelta(days=1))
    assert "ends at 2026-11-01" in move(fin, "soft", sure="1")
    assert state() == PeriodState.OPEN


def test_what_came_to_nothing_is_shown(fin: Client) -> None:
    CostPeriod.objects.update(problem="there is no price for power")

    assert "there is no price for power" in text_of(fin)


def test_closing_is_for_finance(client: Client, month: October) -> None:
    client.force_login(make.user())

    assert client.get(PAGE).status_code == 403
    assert client.post(MOVE, {"step": "soft", "sure": "1"}).status_code == 403


@pytest.mark.parametrize("form", ["csv", "xlsx", "pdf", "focus"])
def test_a_closed_month_is_the_same_file_whatever_is_renamed(
    fin: Client, month: October, form: str, at: Callable[[datetime], None]
) -> None:
    at(SETTLED + timedelta(hours=1))
    move(fin, "soft", sure="1")
    move(fin, "close", sure="1")
    period = CostPeriod.objects.get(month=october.MONTH)

    first = exports.ask(period=period, form=form, actor=month.by, now=SETTLED)
    for team in Team.objects.all():
        Team.objects.filter(pk=team.pk).update(name=f"new {team.pk}", slug=f"new-{team.pk}")
    later = exports.ask(period=period, form=form, actor=month.by, now=SETTLED + timedelta(days=99))

    assert b"".join(files.pieces_of(first)) == b"".join(files.pieces_of(later))


def test_a_calculation_adds_up_what_reports_read(month: October) -> None:
    period = month.period()
    groups = reports.grouped(period, by="model", user=month.by, now=ENDS)

    booked = CostLine.objects.filter(period=period, kind__startswith="booked")
    assert sum(each.total_minor for each in groups) == sum(
        booked.values_list("amount_minor", flat=True)
    )
