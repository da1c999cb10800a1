"""`tokenomics.core.plan`, `.report` and `.text`: whole answers, for programs and for people."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scenarios import models, platform, prices, reference, scenario
from tokenomics import documents
from tokenomics.core import report, text, wording
from tokenomics.core.plan import Plan, plan

PACKAGED = documents.packaged_prices()
EXAMPLE = plan(documents.scenario_from(documents.example_text()), prices=PACKAGED)


def without_prices(**changes: Any) -> Plan:
    rows = [{**each, "compare_with": None} for each in models()]
    return plan(scenario(**reference(models=rows, currency="EUR", **changes)), prices=PACKAGED)


def floats_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [each for one in value.values() for each in floats_in(one)]
    if isinstance(value, list):
        return [each for one in value for each in floats_in(one)]
    return [value] if isinstance(value, float) else []


def test_only_charts_have_floats() -> None:
    found = report.as_json(EXAMPLE)
    series = found.pop("charts")

    assert floats_in(found) == []
    assert floats_in(series) != []
    assert json.loads(json.dumps(found)) == found


def test_series_are_of_one_length() -> None:
    found = report.as_json(EXAMPLE)["charts"]

    assert len(found["unit_cost"]["x_utilisation"]) == len(found["unit_cost"]["y_own_per_million"])
    assert {len(each) for each in found["growth_by_rounds"].values()} == {20}
    assert {len(each) for each in found["growth_by_agents"].values()} == {4}
    assert {len(each) for each in found["tornado"].values() if isinstance(each, list)} == {9}
    assert len(found["unit_cost"]["lines"]) == len(EXAMPLE.break_even)


def test_what_is_not_asked_for_is_null() -> None:
    found = report.as_json(without_prices())

    parts = ("prices", "measured", "sizing", "project", "growth", "fleet")
    assert [found[part] for part in parts] == [None] * 6
    assert found["break_even"] == []
    assert found["charts"]["growth_by_rounds"] is None


@given(utilisation=st.decimals("0.01", 1, places=4), price=st.integers(0, 10**6))
def test_shown_cents_add_up(utilisation: Decimal, price: int) -> None:
    asset = {"name": "a", "price": price, "life_years": 3, "maintenance_ratio_per_year": "0.07"}
    found = report.as_json(
        without_prices(utilisation=utilisation, platform=platform(assets=[asset]))
    )["forward"]

    parts = ("capital", "maintenance", "other", "power", "cooling")
    total = Decimal(found["total"])
    assert sum(Decimal(found["cost"][part]) for part in parts) == total
    models_cost = sum(Decimal(each["cost_per_year"]) for each in found["models"])
    assert models_cost + Decimal(found["stranded_cost_per_year"]) == total


def test_what_costs_nothing_is_shown_as_nothing() -> None:
    free = platform(assets=[], electricity_price_per_kwh=0)

    found = report.as_json(without_prices(platform=free))["forward"]

    assert {found["total"], found["cost"]["power"], found["models"][0]["cost_per_year"]} == {"0.00"}
    assert found["cost_per_million"] == "0.000000"


def test_text_begins_with_the_verdicts() -> None:
    lines = text.as_text(EXAMPLE).splitlines()

    assert lines[0] == "Reference server, three models"
    assert lines[2].startswith(
        "* A million tokens cost USD 0.1156 at 40.0 % utilisation; 80 % costs"
    )
    assert lines[3].startswith("* Right: 2 GPUs needed, 2 GPUs installed")
    assert "  total        21,869.99" in lines
    assert "Own or rent (prices of 2026-11-23)" in lines


def test_text_of_the_least_that_can_be_asked() -> None:
    found = text.as_text(without_prices())

    assert "* No cloud prices in EUR: give them under prices." in found
    assert "Sizing" not in found


def test_text_tells_what_was_measured_and_what_is_infeasible() -> None:
    month = {"month": "2026-10", "hours": 744, "gpu_kwh": 300, "active_ratio": "0.5"}
    rows = [{**models()[0], "memory_gib": 90, "demand_tokens_per_year": 10**9}]
    made = scenario(models=rows, prices=prices(), measured=month, sizing={"budget_per_year": 1})

    found = text.as_text(plan(made, prices=PACKAGED))

    assert "Measured in 2026-10" in found
    assert "platform.gpu_max_watts" in found
    assert "* Infeasible: 7B needs 90 GiB, 1g.24gb has 24 GiB; it fits on the whole GPU." in found


def test_an_offer_that_never_pays_has_no_numbers() -> None:
    cheap = prices(rentals=[])
    for each in cheap["tokens"]:
        each["input_per_million"] = each["output_per_million"] = "0.001"

    found = text.as_text(plan(scenario(prices=cheap), prices=PACKAGED))

    assert any(line.split()[1:] == ["0.0010", "-", "-", "never"] for line in found.splitlines())


def test_a_plan_is_of_the_measured_platform() -> None:
    month = {"month": "2026-10", "hours": 744, "gpu_kwh": 300, "active_ratio": "0.5"}
    assumed = scenario(prices=prices())
    made = scenario(prices=prices(), measured=month)

    found = plan(made, prices=PACKAGED)

    assert found.measured is not None
    assert found.scenario.platform.gpu_max_watts != assumed.platform.gpu_max_watts
    assert replace(found.scenario, platform=assumed.platform, measured=None) == assumed


def test_tokens_are_written_in_the_largest_unit_they_fill() -> None:
    assert [wording.tokens(count) for count in (999_999, 10**6, 59_890 * 10**6, 2 * 10**12)] == [
        "999,999 tokens",
        "1.00 M tokens",
        "59.89 bn tokens",
        "2.00 T tokens",
    ]
