"""`tokenomics.core.breakeven`: published break-evens, named cases, and that u* is a root."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.planning.scenarios import (
    asset,
    models,
    platform,
    prices,
    reference,
    scenario,
    worked,
)
from tokenomics.core import breakeven, cost
from tokenomics.core.breakeven import Kind, Offer, Verdict
from tokenomics.core.fields import InvalidScenario
from tokenomics.core.scenario import TokenMix, TokenPrice

SEED = worked("seed_hardware")
PAN_WANG = worked("pan_wang_2509.18101")
PRICED = scenario(prices=prices())


def offer(price: str | Decimal) -> Offer:
    return Offer("x", "X", Kind.TOKENS, Decimal(price))


def test_the_reference_server_against_equivalents() -> None:
    assert PRICED.prices
    first = breakeven.compare_all(PRICED, PRICED.prices)[0]

    assert first.offer.kind == Kind.MIX
    assert round(first.offer.price_per_million, 20) == round(Decimal(SEED["cloud_blended"]), 20)
    assert first.utilisation is not None
    assert round(first.utilisation, 20) == round(Decimal(SEED["break_even_u"]), 20)
    assert first.tokens_per_year is not None
    assert round(first.tokens_per_year / 10**9, 2) == Decimal("59.89")


@pytest.mark.parametrize(
    ("price", "verdict", "utilisation", "words"),
    [
        ("0.05", Verdict.BREAK_EVEN, "0.9657", "from 96.6 % utilisation"),
        ("0.03", Verdict.CLOUD_ALWAYS, "1.698", "cheaper at any load: USD 0.0300 per M against"),
        ("0.0035", Verdict.NEVER, None, "less than the electricity"),
    ],
)
def test_the_named_cases(price: str, verdict: Verdict, utilisation: str | None, words: str) -> None:
    found = breakeven.compare(scenario(), offer(price))

    assert found.verdict == verdict
    assert words in found.sentence
    if utilisation is None:
        assert (found.utilisation, found.tokens_per_year) == (None, None)
        assert found.payback_months is None
    else:
        assert found.utilisation is not None
        assert abs(found.utilisation - Decimal(utilisation)) < Decimal("0.001")


def test_what_has_no_fixed_cost_is_always_cheaper() -> None:
    free = scenario(platform=platform(assets=[], host_watts=0, gpu_idle_watts=0))

    found = breakeven.compare(free, offer("1"))

    assert found.verdict == Verdict.OWN_ALWAYS
    assert [found.utilisation, found.payback_months] == [0, 0]


@pytest.mark.parametrize("row", PAN_WANG["rows"], ids=lambda row: row["model"])
def test_months_until_nine_models_pay_back(row: dict[str, Any]) -> None:
    watts = Decimal(row["gpu_kw"]) * 1000
    bought = scenario(
        platform=platform(
            gpu="l40s-48gb",
            gpus=row["gpus"],
            gpus_per_server=row["gpus"],
            assets=[
                asset(
                    price=row["gpu_price_usd"], residual=0, maintenance_ratio_per_year=0, per="gpu"
                )
            ],
            electricity_price_per_kwh=row["usd_per_kwh"],
            pue=1,
            host_watts=0,
            gpu_idle_watts=0,
            gpu_max_watts=watts,
        ),
        models=[
            {"name": "m", "slice": "whole", "tokens_per_second": row["tokens_per_s"], "replicas": 1}
        ],
    )
    bought = replace(bought, utilisation=Decimal(row["hours_per_month"] * 12) / 8_760)

    own = cost.forward(bought)
    assert round(own.cost.power / 12, 2) == Decimal(row["computed"]["electricity_usd_month"])
    assert round(own.tokens_per_year / 12 / 10**6, 1) == Decimal(
        row["published"]["capacity_mtok_month"]
    )
    for name, published in row["published"]["breakeven_months"].items():
        price_in, price_out = (Decimal(p) for p in PAN_WANG["api_price_usd_per_mtok"][name])

        found = breakeven.compare(bought, offer((price_in + 2 * price_out) / 3))

        assert found.payback_months is not None
        assert round(found.payback_months, 4) == Decimal(row["computed"]["breakeven_months"][name])
        assert abs(found.payback_months - Decimal(published)) <= Decimal("0.06")


@pytest.mark.parametrize("row", worked("focus_per_token_rows")["rows"], ids=lambda r: r["meter"])
def test_a_bill_of_tokens(row: dict[str, Any]) -> None:
    assert cost.charge(row["consumed"], Decimal(row["unit_price"])) == Decimal(row["cost"])


def test_cached_input_without_a_price_costs_as_input() -> None:
    price = TokenPrice(
        id="a", provider="A", input_per_million=Decimal(4), output_per_million=Decimal(10)
    )
    mix = TokenMix(
        input_ratio=Decimal("0.5"), cached_input_ratio=Decimal("0.3"), output_ratio=Decimal("0.2")
    )

    assert breakeven.blended(price, mix) == Decimal("5.2")
    cheaper = replace(price, cached_input_per_million=Decimal(1))
    assert breakeven.blended(cheaper, mix) == Decimal("4.3")


def test_a_rented_gpu_is_paid_while_it_is_busy() -> None:
    assert PRICED.prices
    found = breakeven.compare_all(PRICED, PRICED.prices)[-1]

    assert found.offer.kind == Kind.RENTAL
    assert found.offer.rented_all_year == Decimal("1.5") * 2 * 8_760
    assert found.cloud_cost_per_year == found.offer.rented_all_year * PRICED.utilisation
    assert found.utilisation is not None
    assert found.busy_hours_per_gpu_year == found.utilisation * 8_760
    assert [e.offer.id for e in breakeven.compare_all(PRICED, PRICED.prices)].count("other") == 0


def test_without_an_equivalent_for_each_model_there_is_no_mix() -> None:
    rows = [*models()[:2], {**models()[2], "compare_with": None}]
    made = scenario(models=rows, prices=prices())
    assert made.prices

    assert {e.kind for e in breakeven.offers(made, made.prices)} == {Kind.TOKENS, Kind.RENTAL}


def test_prices_in_another_currency_are_refused_where_they_are_named() -> None:
    dollars = scenario(prices=prices()).prices
    assert dollars
    euros = replace(scenario(), currency="EUR")
    unnamed = replace(euros, models=tuple(replace(m, compare_with=None) for m in euros.models))

    with pytest.raises(InvalidScenario) as refused:
        breakeven.prices_for(euros, dollars)

    assert [p.field for p in refused.value.problems] == [
        f"models[{index}].compare_with" for index in range(3)
    ]
    assert {p.code for p in refused.value.problems} == {"mixed_currencies"}
    assert breakeven.prices_for(unnamed, dollars) is None


def test_a_price_that_is_not_listed_is_refused() -> None:
    dollars = scenario(prices=prices()).prices
    assert dollars
    project = {"months": 1, "tokens_per_month": 1, "price": "nowhere"}
    agents = {
        "agents": 1,
        "rounds": 1,
        "system_tokens": 1,
        "output_tokens": 1,
        "runs_per_month": 1,
        "price": "nowhere",
        "model": "7B",
    }
    made = scenario(**reference(project=project, agents=agents))

    with pytest.raises(InvalidScenario) as refused:
        breakeven.prices_for(made, dollars)

    assert [(p.field, p.code) for p in refused.value.problems] == [
        ("project.price", "unknown_price"),
        ("agents.price", "unknown_price"),
    ]
    assert "none of: large, medium, small" in refused.value.problems[0].message


@given(price=st.decimals("0.004", "100", places=4))
def test_at_break_even_a_million_tokens_cost_the_same_on_both_sides(price: Decimal) -> None:
    made = scenario()
    found = breakeven.compare(made, offer(price)).utilisation
    assume(found is not None)
    assert found is not None

    here = cost.point(
        cost.cost_line(made.platform),
        capacity=cost.capacity_tokens_per_year(made.models),
        utilisation=found,
    )

    assert abs(here.cost_per_million - price) < Decimal("1e-18")


@given(low=st.decimals("0.004", "10", places=3), more=st.decimals("0.001", "10", places=3))
def test_a_dearer_cloud_breaks_even_earlier(low: Decimal, more: Decimal) -> None:
    cheap = breakeven.compare(scenario(), offer(low)).utilisation
    dear = breakeven.compare(scenario(), offer(low + more)).utilisation

    assert dear is not None
    assert cheap is None or dear < cheap
