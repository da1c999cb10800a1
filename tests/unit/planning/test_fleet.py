"""`tokenomics.core.fleet`, `.sensitivity` and `.measured`."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scenarios import platform, prices, scenario
from tokenomics.core import cost, fleet, measured, sensitivity
from tokenomics.core.scenario import Route, Scenario

SWINGS = {
    "throughput": "0.0482",
    "utilisation": "0.0466",
    "purchase price": "0.0412",
    "life": "0.0297",
    "maintenance": "0.0127",
    "electricity price": "0.0050",
    "host watts": "0.0031",
    "PUE": "0.0018",
    "GPU watts at full load": "0.0016",
}


def routed(*ratios: Decimal) -> Scenario:
    names = ("7B", "14B", "70B")
    routes = tuple(
        Route(name=name, model=name, token_ratio=ratio)
        for name, ratio in zip(names, ratios, strict=True)
    )
    return replace(scenario(), routes=routes)


BY_CAPACITY = routed(Decimal(8) / 15, Decimal(4) / 15, Decimal(3) / 15)


# --- routes ------------------------------------------------------------------------------------


def test_throughputs_blend_harmonically() -> None:
    found = fleet.blend(BY_CAPACITY, None)

    assert round(found.tokens_per_second_per_gpu, 6) == 7_500
    assert found.arithmetic_mean_tokens_per_second == 3_000
    assert round(found.cost_per_million, 12) == round(cost.forward(scenario()).cost_per_million, 12)


def test_a_route_costs_what_its_gpu_seconds_cost() -> None:
    made = routed(Decimal("0.6"), Decimal("0.3"), Decimal("0.1"))
    dollars = scenario(prices=prices()).prices

    found = fleet.blend(made, dollars)

    assert [each.gpu_seconds_per_million for each in found.routes] == [
        Decimal("62.5"),
        125,
        pytest.approx(Decimal(1_000) / 3),
    ]
    assert [each.cloud_cost_per_million for each in found.routes] == [
        Decimal("0.18"),
        Decimal("0.2"),
        Decimal("1.04"),
    ]
    assert found.all_on_largest_per_million == found.routes[2].cost_per_million
    assert "less than USD 0.2890 if the dearest model answered everything" in found.sentence
    assert round(sum(each.gpu_time_ratio for each in found.routes), 12) == 1


@given(cuts=st.tuples(st.integers(0, 100), st.integers(0, 100)))
def test_the_blend_is_the_mean_of_its_routes(cuts: tuple[int, int]) -> None:
    low, high = sorted(cuts)
    ratios = [Decimal(low), Decimal(high - low), Decimal(100 - high)]

    found = fleet.blend(routed(*(each / 100 for each in ratios)), None)

    total = sum((each.token_ratio * each.cost_per_million for each in found.routes), Decimal())
    assert abs(total - found.cost_per_million) < Decimal("1e-20")
    assert 0 <= found.saving_ratio < 1


def test_what_costs_nothing_saves_nothing() -> None:
    free = scenario(platform=platform(assets=[], electricity_price_per_kwh=0))

    assert fleet.blend(replace(free, routes=BY_CAPACITY.routes), None).saving_ratio == 0


# --- sensitivity -------------------------------------------------------------------------------


def test_the_published_tornado() -> None:
    found = sensitivity.tornado(scenario())

    assert {each.name: str(round(each.swing_per_million, 4)) for each in found.bars} == SWINGS
    assert [each.name for each in found.bars] == list(SWINGS)


def test_other_costs_have_a_bar_when_there_are_any() -> None:
    staff = platform(other_costs=[{"name": "staff", "cost_per_year": 10_000}])

    names = [each.name for each in sensitivity.tornado(scenario(platform=staff)).bars]

    assert "other costs" in names


@given(ratio=st.decimals("0.01", "0.9", places=2), utilisation=st.decimals("0.05", "1", places=2))
def test_the_base_lies_within_every_bar(ratio: Decimal, utilisation: Decimal) -> None:
    found = sensitivity.tornado(scenario(sensitivity_ratio=ratio, utilisation=utilisation))

    for each in found.bars:
        ends = sorted([each.low_per_million, each.high_per_million])
        assert ends[0] - Decimal("1e-20") <= found.base_per_million <= ends[1] + Decimal("1e-20")
        assert each.swing_per_million == ends[1] - ends[0]
    swings = [each.swing_per_million for each in found.bars]
    assert swings == sorted(swings, reverse=True)


# --- measured ----------------------------------------------------------------------------------


def month(**changes: Any) -> dict[str, Any]:
    return {"month": "2026-10", "hours": 744, "gpu_kwh": 300, "active_ratio": "0.5", **changes}


def test_without_a_measured_month_nothing_changes() -> None:
    made = scenario()

    assert measured.apply(made) == (made, None)


def test_a_month_replaces_throughput_load_and_watts() -> None:
    rows = [{"model": "7B", "tokens": 3 * 10**9, "busy_replica_seconds": 10**6}]
    made = scenario(measured=month(models=rows, host_kwh=372))

    found, told = measured.apply(made)

    mean_watts = Decimal(300_000) / 744 / 2
    assert found.models[0].tokens_per_second == 3_000
    assert found.platform.host_watts == 500
    assert found.platform.gpu_max_watts == 70 + (mean_watts - 70) / Decimal("0.5")
    assert found.utilisation == Decimal(3 * 10**9) / (13_000 * 744 * 3_600)
    assert told is not None
    assert [each.field for each in told.changes] == [
        "utilisation",
        "platform.host_watts",
        "platform.gpu_max_watts",
        "models[0].tokens_per_second",
    ]
    assert [told.changes[1].planned, told.changes[1].measured] == [900, 500]


def test_energy_of_the_measured_month_is_what_was_measured() -> None:
    found, _ = measured.apply(scenario(measured=month(host_kwh=372)))
    half = replace(found.platform, host_watts=Decimal())

    yearly = cost.energy_kwh(half, utilisation=Decimal("0.5"))

    assert round(yearly * 744 / 8_760, 9) == 300


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"gpu_kwh": 30}, "gpu_idle_watts", Decimal(30_000) / 744 / 2),  # below the planned idle
        ({"gpu_kwh": 30}, "gpu_max_watts", 600),
        ({"active_ratio": 0}, "gpu_max_watts", 600),  # nothing ran: no load to infer it from
        ({}, "host_watts", 900),
    ],
)
def test_what_cannot_be_inferred_stays(changes: dict[str, Any], field: str, value: Decimal) -> None:
    found, _ = measured.apply(scenario(measured=month(**changes)))

    assert getattr(found.platform, field) == value


def test_a_model_that_did_nothing_keeps_its_benchmark() -> None:
    rows = [{"model": "7B", "tokens": 0, "busy_replica_seconds": 0}]

    found, _ = measured.apply(scenario(measured=month(models=rows)))

    assert found.models == scenario().models
    assert found.utilisation == Decimal("0.4")


def test_load_is_never_over_one() -> None:
    rows = [{"model": "7B", "tokens": 10**15, "busy_replica_seconds": 10**12}]

    assert measured.apply(scenario(measured=month(models=rows)))[0].utilisation == 1
