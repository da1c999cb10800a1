"""`tokenomics.core.project`: when a proof of concept belongs in the cloud, with both numbers."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scenarios import prices, scenario
from tokenomics.core import cost
from tokenomics.core.project import Answer, Verdict, weigh

BN = 10**9


def answer(**changes: Any) -> Answer:
    project = {"months": 3, "tokens_per_month": BN, "price": "large", **changes}
    made = scenario(project=project, prices=prices())
    assert made.project
    assert made.prices
    return weigh(made, made.project, made.prices)


def test_a_short_project_belongs_in_the_cloud_with_both_numbers() -> None:
    found = answer()

    assert found.verdict == Verdict.CLOUD
    assert found.cloud_cost == 3_120
    assert found.booking_cost is None
    assert found.payback_months is None or found.payback_months > 3
    assert found.break_even_utilisation is not None
    assert found.utilisation < found.break_even_utilisation
    assert found.sentence == (
        f"The cloud is cheaper: USD 3,120.00 against USD {found.buying_cost:,.2f} for buying, "
        "over 3.0 months."
    )


def test_a_long_and_busy_project_pays_for_hardware() -> None:
    found = answer(months=36, tokens_per_month=15 * BN)

    assert found.verdict == Verdict.BUY
    assert found.buying_cost < found.cloud_cost
    assert found.sentence.startswith("Buying is cheaper: USD")


def test_booking_what_stands_there_is_weighed_too() -> None:
    found = answer(booked_gpu_hours_per_month=100, planned_booked_ratio="0.5")
    yearly = cost.forward(scenario()).cost.total

    assert found.booking_cost == pytest.approx(yearly / (2 * 8_760) / Decimal("0.5") * 300)
    assert found.verdict == Verdict.BOOK
    assert "the cloud costs USD 3,120.00 and buying USD" in found.sentence
    assert found.sentence.endswith(f"booking costs USD {found.booking_cost:,.2f}.")


def test_more_than_the_platform_can_carry() -> None:
    found = answer(tokens_per_month=40 * BN)

    assert (found.verdict, found.utilisation > 1) == (Verdict.TOO_LARGE, True)
    assert "cannot carry it" in found.sentence


def test_hardware_is_bought_again_when_its_life_ends() -> None:
    once, twice = answer(months=48), answer(months=49)

    assert twice.buying_cost - once.buying_cost > 60_000


@given(
    months=st.integers(1, 48),
    tokens=st.integers(0, 39 * BN),
)
def test_within_a_life_the_cloud_wins_exactly_when_the_project_is_shorter_than_the_payback(
    months: int, tokens: int
) -> None:
    found = answer(months=months, tokens_per_month=tokens)

    pays_back = found.payback_months is not None and found.payback_months < months
    assert (found.verdict == Verdict.BUY) is pays_back
    if found.verdict == Verdict.BUY:
        assert found.break_even_utilisation is not None
        assert found.utilisation > found.break_even_utilisation
