"""`tokenomics.core.growth`: parabolas in the cloud, steps on-prem."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scenarios import prices, scenario, worked
from tokenomics.core import growth
from tokenomics.core.growth import Growth, GrowthPoint

small = st.integers(1, 12)


def grow(**changes: Any) -> Growth:
    asked = {
        "agents": 4,
        "rounds": 20,
        "system_tokens": 2_000,
        "output_tokens": 500,
        "runs_per_month": 20_000,
        "price": "cached",
        "model": "14B",
        **changes,
    }
    listed = prices()
    listed["tokens"].append(
        {
            "id": "cached",
            "provider": "P",
            "input_per_million": 1,
            "cached_input_per_million": "0.1",
            "output_per_million": 4,
        }
    )
    made = scenario(agents=asked, prices=listed)
    assert made.agents
    assert made.prices
    return growth.grow(made, made.agents, made.prices)


@pytest.mark.parametrize("row", worked("quadratic_context")["rows"])
def test_one_agent_that_sends_everything_anew(row: dict[str, int]) -> None:
    found = growth.single_agent_input(
        system_tokens=0, tokens_per_turn=row["tokens_per_turn"], turns=row["turns"]
    )

    assert found == row["published_input_tokens"]


@pytest.mark.parametrize(("rounds", "input_tokens"), [(1, 8_000), (8, 288_000)])
def test_four_agents_on_a_shared_context(rounds: int, input_tokens: int) -> None:
    found = growth.run_tokens(agents=4, rounds=rounds, system_tokens=2_000, output_tokens=500)

    assert found.input == input_tokens


@given(agents=small, rounds=small, system=st.integers(0, 500), output=st.integers(1, 500))
def test_tokens_are_those_of_playing_every_round(
    agents: int, rounds: int, system: int, output: int
) -> None:
    read = fresh = 0
    for each in range(rounds):
        context = system + agents * output * each
        before = system + agents * output * (each - 1) if each else 0
        read += agents * context
        fresh += agents * (context - before)

    found = growth.run_tokens(
        agents=agents, rounds=rounds, system_tokens=system, output_tokens=output
    )

    assert (found.input, found.fresh_input, found.output) == (read, fresh, agents * rounds * output)
    assert found.computed == fresh + found.output


def second_differences(values: list[Decimal]) -> set[Decimal]:
    first = [b - a for a, b in pairwise(values)]
    return {b - a for a, b in pairwise(first)}


@pytest.mark.parametrize("name", ["cloud_cost", "cloud_cost_cached"])
def test_the_clouds_cost_is_a_parabola_in_rounds(name: str) -> None:
    found = grow()

    (bend,) = second_differences([getattr(each, name) for each in found.by_rounds])

    flatter = Decimal("0.1") if name == "cloud_cost_cached" else 1
    assert bend == 4 * 4 * 500 * 20_000 * flatter / Decimal(10**6)


def test_the_clouds_cost_is_a_parabola_in_agents() -> None:
    (bend,) = second_differences([each.cloud_cost for each in grow(agents=10).by_agents])

    assert bend > 0


def test_on_prem_goes_in_steps_of_a_slice() -> None:
    points = grow().by_rounds
    one = points[0].own_cost / points[0].own_slices

    assert [each.own_cost for each in points] == [one * each.own_slices for each in points]
    steps = [each.own_slices for each in points]
    assert steps == sorted(steps)
    assert len(set(steps)) < len(steps)


def test_owning_wins_once_contexts_are_long() -> None:
    found = grow(runs_per_month=5_000)

    assert found.own_from_rounds is not None
    before, at = found.by_rounds[found.own_from_rounds - 2 : found.own_from_rounds]
    assert before.own_cost >= before.cloud_cost_cached
    assert at.own_cost < at.cloud_cost_cached
    assert found.sentence.startswith(f"Owning is cheaper from {found.own_from_rounds} rounds on")


def test_a_few_runs_are_cheaper_in_the_cloud() -> None:
    found = grow(runs_per_month=10)

    assert found.own_from_rounds is None
    assert found.sentence.startswith("The cloud is cheaper: USD")


def test_without_a_cached_price_caching_saves_nothing() -> None:
    here: GrowthPoint = grow(price="small").here

    assert here.cloud_cost == here.cloud_cost_cached
