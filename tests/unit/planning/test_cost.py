"""`tokenomics.core.cost`: published figures, and the laws between them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scenarios import asset, models, platform, scenario, worked
from tokenomics.core import cost

SEED = worked("seed_hardware")
CENT = Decimal("0.01")
utilisations = st.decimals("0.01", "1", places=4)


@pytest.mark.parametrize(("utilisation", "expected"), SEED["by_utilisation"].items())
def test_the_reference_server(utilisation: str, expected: dict[str, str]) -> None:
    found = cost.forward(scenario(utilisation=utilisation))

    assert found.cost.capital == Decimal(expected["capital"])
    assert found.cost.maintenance == Decimal(expected["maintenance"])
    assert found.cost.energy_kwh == Decimal(expected["kwh"])
    assert found.cost.power == Decimal(expected["power"])
    assert found.cost.cooling == Decimal(expected["cooling"])
    assert found.cost.total == Decimal(expected["total"])
    assert found.capacity_tokens_per_year == Decimal(expected["capacity"])
    assert found.tokens_per_year == Decimal(expected["tokens"])
    assert round(found.cost_per_million, 6) == Decimal(expected["per_m"])


def test_eighty_percent_makes_tokens_at_little_more_than_half_the_cost_of_forty() -> None:
    found = cost.forward(scenario())

    assert round(found.high_over_low, 20) == round(Decimal(SEED["ratio_80_40"]), 20)
    line = cost.cost_line(scenario().platform)
    assert (line.fixed, line.at_full_load) == (Decimal(SEED["F"]), Decimal(SEED["V"]))


def test_without_energy_it_is_exactly_half() -> None:
    unpowered = platform(electricity_price_per_kwh=0)

    assert cost.forward(scenario(platform=unpowered)).high_over_low == Decimal("0.5")


def test_what_costs_nothing_has_no_better_load() -> None:
    free = platform(electricity_price_per_kwh=0, assets=[])

    assert cost.forward(scenario(platform=free)).high_over_low == 1


@pytest.mark.parametrize("row", worked("presenc_annualised_tco")["rows"], ids=lambda r: r["name"])
def test_three_years_of_ownership(row: dict[str, Any]) -> None:
    bought = scenario(
        platform=platform(
            assets=[
                asset(price=row["capex"], residual=0, life_years=3, maintenance_ratio_per_year=0)
            ],
            other_costs=[{"name": "power", "cost_per_year": row["annual_power"]}],
            electricity_price_per_kwh=0,
        )
    )

    per_year = cost.yearly_cost(bought.platform, utilisation=Decimal(1)).total

    assert round(per_year * 3) == int(row["published_tco_3y"])
    assert round(per_year) == int(row["published_annualised"])


@pytest.mark.parametrize(
    ("row", "rate", "published"),
    [
        (row, "output_tok_s", "published_usd_per_mtok")
        for row in worked("gpuadvisor_cost_to_serve")["rows"]
    ]
    + [(row, "tps", "published") for row in worked("gmicloud")["rows"]],
)
def test_hardware_priced_by_the_hour(row: dict[str, Any], rate: str, published: str) -> None:
    found = cost.hourly_cost_per_million(Decimal(row["usd_per_hour"]), Decimal(row[rate]))

    assert found.quantize(CENT) == Decimal(row[published])


def test_energy_of_one_card() -> None:
    example = worked("dcentral_energy")
    given_, published = example["inputs"], example["published"]
    card = scenario(
        platform=platform(
            gpus=1,
            gpu_idle_watts=0,
            gpu_max_watts=given_["watts"],
            host_watts=0,
            pue=1,
            assets=[],
            electricity_price_per_kwh=given_["per_kwh"],
        ),
        models=[{**models()[2], "tokens_per_second": given_["tok_s"]}],
        utilisation=1,
    )

    found = cost.forward(card)

    tokens_per_kwh = found.tokens_per_year / found.cost.energy_kwh
    assert tokens_per_kwh == published["tokens_per_kwh"]
    assert round(found.cost_per_million, 4) == Decimal(published["per_mtok"])


def test_an_annuity_repays_the_price_with_interest() -> None:
    loan = cost.yearly_capital(
        scenario(
            platform=platform(
                assets=[asset(depreciation="annuity", interest_ratio_per_year="0.05")]
            )
        ).platform.assets[0]
    )

    owed = Decimal(60_000)
    for _ in range(4):
        owed = owed * Decimal("1.05") - loan

    assert abs(owed - 6_000) < CENT


def test_an_annuity_without_interest_is_a_straight_line() -> None:
    made = scenario(platform=platform(assets=[asset(depreciation="annuity")])).platform

    assert cost.yearly_capital(made.assets[0]) == 13_500


def test_assets_are_counted_per_server_gpu_or_platform() -> None:
    made = scenario(
        platform=platform(
            servers=2,
            gpus=3,
            assets=[
                asset(name=per, price=price, residual=0, per=per)
                for per, price in (("server", 100), ("gpu", 10), ("platform", 1))
            ],
            redundancy="1.5",
        )
    ).platform

    assert cost.purchase_price(made) == Decimal("1.5") * (2 * 100 + 3 * 10 + 1)


def test_what_no_model_covers_is_stranded() -> None:
    found = cost.forward(scenario(models=models()[:1]))

    assert found.stranded_gpu_equivalents == Decimal("1.5")
    covered = sum(each.cost_per_year for each in found.models)
    assert covered + found.stranded_cost_per_year == found.cost.total


def test_a_model_without_replicas_has_no_cost_per_token() -> None:
    found = cost.forward(scenario(models=[*models(), {**models()[0], "name": "8B", "replicas": 0}]))

    assert found.models[-1].cost_per_million is None


@given(low=utilisations, high=utilisations)
def test_more_load_never_makes_a_token_dearer(low: Decimal, high: Decimal) -> None:
    low, high = sorted((low, high))
    made = scenario()
    line, capacity = cost.cost_line(made.platform), Decimal(10**12)

    cheap = cost.point(line, capacity=capacity, utilisation=high).cost_per_million
    dear = cost.point(line, capacity=capacity, utilisation=low).cost_per_million

    assert cheap < dear if low < high else cheap == dear


@given(utilisation=utilisations)
def test_the_line_and_the_categories_say_the_same(utilisation: Decimal) -> None:
    made = scenario().platform
    line = cost.cost_line(made)

    total = cost.yearly_cost(made, utilisation=utilisation).total

    assert abs(line.fixed + line.at_full_load * utilisation - total) < Decimal("1e-12")


@given(factor=st.integers(1, 1000))
def test_another_currency_scales_every_cost(factor: int) -> None:
    made = scenario().platform
    scaled = replace(
        made,
        assets=tuple(
            replace(each, price=each.price * factor, residual=each.residual * factor)
            for each in made.assets
        ),
        electricity_price_per_kwh=made.electricity_price_per_kwh * factor,
    )

    at = Decimal("0.4")
    assert cost.yearly_cost(scaled, utilisation=at).total == factor * (
        cost.yearly_cost(made, utilisation=at).total
    )
