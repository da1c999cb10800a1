"""What a million tokens cost in a month, from its lines and the meter's sums."""

from decimal import Decimal
from fractions import Fraction

import pytest

from reservations import lifecycle
from tests.costs.october import ALL_IN_ONE, OVER, STARTS, October, enter, october, team
from tokenomics.core.ledger import Booking, Usage
from tokenomics.core.per_million import Denominator, Tokens
from tokenomics.selectors import tokens as selectors
from tokenomics.services import calculation
from tokenomics.services import usage as metering

pytestmark = pytest.mark.django_db


@pytest.fixture
def month() -> October:
    made = october()
    enter(made.by, hardware=[], watts=[], other=[ALL_IN_ONE])
    return made


def tell(month: October, name: str, model: str, millions: int, *, is_reading: bool = True) -> None:
    one = month.bookings[name][0]
    booking = Booking(one.pk, one.team_id, one.pool_id, one.starts_at, one.ends_at)
    usage = Usage(
        source="test",
        event_id=f"{name}-{model}-{is_reading}",
        booking=booking,
        engine="vllm",
        model=model,
        started_at=STARTS,
        ended_at=STARTS.replace(minute=1),
        prompt_computed=millions * 1_000_000,
        prompt_cached=millions * 500_000,
        generated=millions * 500_000,
        requests=1,
        is_reading=is_reading,
    )
    metering.record([usage], now=STARTS.replace(hour=1))


def test_by_model_and_by_everything(month: October) -> None:
    tell(month, "R3", "large", 30)
    tell(month, "R3", "small", 10)
    tell(month, "R3", "large", 99, is_reading=False)
    period = calculation.calculate(month.period(), now=OVER)

    by_model = {
        each.name: each.per_million for each in selectors.cost_per_million(period, by="model")
    }
    (everything,) = selectors.cost_per_million(period)

    assert set(by_model) == {"", "large", "small"}
    # The counters' tokens, not the gateway's, which are another view of the same.
    assert by_model["large"].tokens == Tokens(30_000_000, 15_000_000, 15_000_000)
    assert by_model["large"].covered_minor == 3 * by_model["small"].covered_minor
    total = by_model["large"].covered_minor + by_model["small"].covered_minor
    assert total == everything.per_million.covered_minor == pytest.approx(36_860, abs=2)
    assert by_model[""].figures[Denominator.TOTAL] is None
    processed = everything.per_million.figures[Denominator.PROCESSED]
    assert processed == pytest.approx(Decimal("368.60") / 60, abs=Decimal("0.001"))
    whole = everything.per_million
    assert whole.covered_ratio == Fraction(whole.covered_minor, whole.cost_minor)


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("cost_centre", ["CC-100", "CC-200", "CC-300"]),
        ("team", ["team-1", "team-2", "team-3"]),
        ("pool", ["lab"]),
        ("purpose", [""]),
    ],
)
def test_by_what_lines_have(month: October, by: str, names: list[str]) -> None:
    period = calculation.calculate(month.period(), now=OVER)

    found = selectors.cost_per_million(period, by=by)

    assert [each.name for each in found] == names
    assert all(each.per_million.figures[Denominator.TOTAL] is None for each in found)


def test_by_reservation(month: October) -> None:
    period = calculation.calculate(month.period(), now=OVER)

    found = {each.name for each in selectors.cost_per_million(period, by="reservation")}

    assert found == {str(one.pk) for many in month.bookings.values() for one in many}


def test_what_the_platform_failed_is_in_no_figure() -> None:
    month = october(booked=False)
    enter(month.by)
    month.book("lost", team=team("t", "CC"), hours=10, state=lifecycle.State.FAILED)
    period = calculation.calculate(month.period(), now=OVER)

    assert selectors.cost_per_million(period, by="team") == []
    (everything,) = selectors.cost_per_million(period)
    assert everything.per_million.cost_minor == 0
