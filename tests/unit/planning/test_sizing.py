"""`tokenomics.core.sizing`: the published example, verdicts, and laws of the inverse."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scenarios import models, platform, scenario
from tokenomics.core import cost, packing
from tokenomics.core.scenario import Scenario, SizingGoal, Unit
from tokenomics.core.sizing import Sizing, Verdict, exact_replicas, size, sized, whole_up

BN = 10**9
GOAL = {"peak_factor": "2.5", "availability": "0.99", "max_utilisation": "0.7"}
demands = st.tuples(*[st.integers(0, 400 * BN)] * 3)


def solve(demand: tuple[int, int, int], *, gpus: int = 2, **goal: Any) -> Sizing:
    made = demanded(demand, gpus=gpus, **goal)
    assert made.sizing
    return size(made, made.sizing)


def demanded(demand: tuple[int, int, int], *, gpus: int = 2, **goal: Any) -> Scenario:
    rows = [{**each, "compare_with": None, "replicas": 1} for each in models(demands=demand)]
    rows[2]["replicas"] = 0
    hardware = platform(gpus=gpus, servers=-(-gpus // 2))
    return scenario(models=rows, platform=hardware, sizing={**GOAL, **goal})


@pytest.mark.parametrize(
    ("demand", "replicas", "packed", "verdict", "spare"),
    [
        ((120, 40, 30), [4, 3, 2], 4, Verdict.UNDER, 5),
        ((30, 10, 10), [1, 1, 1], 2, Verdict.RIGHT, 3),
        ((30, 10, 0), [1, 1, 0], 1, Verdict.OVER, 2),
    ],
)
def test_the_published_example(
    demand: tuple[int, int, int], replicas: list[int], packed: int, verdict: Verdict, spare: int
) -> None:
    tokens = (demand[0] * BN, demand[1] * BN, demand[2] * BN)

    found = solve(tokens)

    assert [each.replicas for each in found.needs] == replicas
    assert (found.gpus_packed, found.gpus_required, found.verdict) == (packed, packed, verdict)
    assert solve(tokens, redundancy="1.25").gpus_required == spare


def test_under_says_what_is_missing_and_what_it_costs() -> None:
    found = solve((120 * BN, 40 * BN, 30 * BN))

    assert found.first_that_does_not_fit == "70B"
    assert found.headroom_ratio is not None
    assert found.headroom_ratio < 0
    assert found.surplus_per_year is not None
    assert found.surplus_per_year < 0
    assert found.sentence.startswith("Under-provisioned: 4 GPUs needed, 2 GPUs installed. 70B is")


def test_spares_alone_can_be_what_is_missing() -> None:
    found = solve((30 * BN, 0, 0), gpus=1, spare_gpus=1)

    assert (found.verdict, found.gpus_required) == (Verdict.UNDER, 2)
    assert found.first_that_does_not_fit == "7B"  # a GPU that stands by carries nothing


def test_over_gives_the_money_of_the_surplus() -> None:
    found = solve((30 * BN, 10 * BN, 0), gpus=4)
    made = demanded((0, 0, 0)).platform
    load = found.mean_utilisation * Decimal("0.99") * 4

    def yearly(gpus: int) -> Decimal:
        return cost.yearly_cost(sized(made, gpus=gpus), utilisation=load / gpus).total

    assert found.surplus_per_year == pytest.approx(yearly(4) - yearly(1))
    assert "The surplus costs USD" in found.sentence


def test_whole_servers_may_be_the_least_one_can_buy() -> None:
    by_server = solve((30 * BN, 10 * BN, 0), buy_in="server")

    assert (by_server.gpus_required, by_server.servers_required) == (2, 1)
    assert by_server.verdict == Verdict.RIGHT
    assert solve((30 * BN, 10 * BN, 0), buy_in="server", gpus=4).verdict == Verdict.OVER


def test_no_demand_needs_nothing() -> None:
    found = solve((0, 0, 0), spare_gpus=1)

    assert (found.verdict, found.gpus_required, found.servers_required) == (Verdict.OVER, 0, 0)
    assert found.cost_required_per_year == 0
    assert found.headroom_ratio is None
    assert found.layouts == ()


@pytest.mark.parametrize(
    ("memory_gib", "slice_", "nearest"),
    [
        (25, "1g.24gb", "it fits on 2g.48gb"),
        (97, "whole", "no slice of NVIDIA RTX PRO 6000 Blackwell 96 GB is large enough"),
    ],
)
def test_a_model_that_is_too_large_is_infeasible(
    memory_gib: int, slice_: str, nearest: str
) -> None:
    row = {**models()[0], "memory_gib": memory_gib, "slice": slice_, "replicas": 1}
    row["demand_tokens_per_year"] = BN
    made = scenario(models=[row], sizing={})
    assert made.sizing

    found = size(made, made.sizing)

    assert found.verdict == Verdict.INFEASIBLE
    assert found.first_that_does_not_fit == "7B"
    assert nearest in found.sentence
    assert found.gpus_required is None
    assert found.headroom_ratio is None


@pytest.mark.parametrize("spare_gpus", [0, 100])
def test_a_demand_beyond_all_bounds_is_infeasible(spare_gpus: int) -> None:
    rate = 3_000 * cost.SECONDS_PER_YEAR
    demand = rate * packing.MOST_GPUS + (1 if not spare_gpus else 0)
    row = {**models()[2], "demand_tokens_per_year": demand}
    made = scenario(models=[row], sizing={"spare_gpus": spare_gpus})
    assert made.sizing

    found = size(made, made.sizing)

    assert found.verdict == Verdict.INFEASIBLE
    assert "1,024 GPUs" in found.sentence


@pytest.mark.parametrize(
    ("budget", "within", "affordable"), [(10**6, True, 70), (25_000, False, 2), (1_000, False, 0)]
)
def test_a_budget(budget: int, within: bool, affordable: int) -> None:
    found = solve((120 * BN, 40 * BN, 30 * BN), budget_per_year=budget)

    assert found.within_budget is within
    assert found.gpus_affordable is not None
    assert abs(found.gpus_affordable - affordable) <= 30 * (affordable > 2)
    assert found.servable_ratio is not None
    assert (found.servable_ratio == 1) is within
    assert (found.servable_ratio == 0) is (affordable == 0)


def test_without_demand_a_budget_serves_all() -> None:
    assert solve((0, 0, 0), budget_per_year=1).servable_ratio == 1


@given(demand=demands, more=demands)
def test_more_demand_never_needs_less(
    demand: tuple[int, int, int], more: tuple[int, int, int]
) -> None:
    grown = (demand[0] + more[0], demand[1] + more[1], demand[2] + more[2])

    less, greater = solve(demand).gpus_required, solve(grown).gpus_required

    assert less is not None
    assert greater is not None
    assert less <= greater


@given(demand=demands.filter(any))
def test_what_is_required_carries_the_demand(demand: tuple[int, int, int]) -> None:
    """Forward undoes inverse: on the replicas found, peaks stay below the ceiling."""
    found = solve(demand)

    ceiling = Decimal(GOAL["max_utilisation"])
    assert all(each.peak_utilisation <= ceiling for each in found.needs)
    assert found.gpus_packed == sum(each.gpus for each in found.layouts)
    placed = {each.slice: 0 for each in found.needs}
    for layout in found.layouts:
        for name, count in layout.slices:
            placed[name] += count * layout.gpus
    for slice_, count in placed.items():
        assert count == sum(e.replicas for e in found.needs if e.slice == slice_)


@given(demand=demands.filter(any), gpus=st.integers(1, 12))
def test_demand_grown_by_the_headroom_fits_and_no_more(
    demand: tuple[int, int, int], gpus: int
) -> None:
    made = demanded(demand, gpus=gpus)
    goal = made.sizing
    assert goal
    growth = (size(made, goal).headroom_ratio or Decimal()) + 1

    def needed(factor: Decimal) -> int | None:
        counts: dict[str, int] = {}
        for each in made.models:
            replicas = whole_up(exact_replicas(each, goal) * factor)
            counts[each.slice] = counts.get(each.slice, 0) + replicas
        return packing.gpus_needed(made.platform.geometry, counts)

    assert (needed(growth * Decimal("0.999999")) or 0) <= gpus
    assert (needed(growth * Decimal("1.0001")) or 10**9) > gpus


@given(demand=demands, factor=st.integers(2, 50))
def test_another_currency_scales_money_and_nothing_else(
    demand: tuple[int, int, int], factor: int
) -> None:
    made = demanded(demand)
    scaled = replace(
        made,
        platform=replace(
            made.platform,
            electricity_price_per_kwh=made.platform.electricity_price_per_kwh * factor,
            assets=tuple(
                replace(each, price=each.price * factor, residual=each.residual * factor)
                for each in made.platform.assets
            ),
        ),
    )
    assert made.sizing
    before, after = size(made, made.sizing), size(scaled, made.sizing)

    assert after.verdict == before.verdict
    assert before.surplus_per_year is not None
    assert after.surplus_per_year == pytest.approx(before.surplus_per_year * factor)


def test_a_unit_of_purchase_is_a_gpu_unless_said() -> None:
    assert SizingGoal().buy_in == Unit.GPU
