"""Agents that pass ever longer contexts: a parabola in the cloud, steps on our own hardware (6.8).

k agents share a context; everybody starts with s tokens, and in each of n rounds every agent
reads all and adds o:

    input  = k n s + k^2 o n (n - 1) / 2
    fresh  = k s + k^2 o (n - 1)            what was not read the round before
    output = k n o

Without prompt caching the cloud is paid for ``input``; with it, for ``fresh`` in full and for the
rest at the cached price: still a parabola, only flatter.  On-prem the prefix cache keeps what was
read, so the engine computes fresh + output, which grows in a straight line, and money is flat
until one more slice is needed.  Every run starts with a cold cache.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tokenomics.core import cost, sizing, wording
from tokenomics.core.scenario import Agents, PriceList, Scenario, SizingGoal, TokenPrice

SECONDS_PER_MONTH: Final = cost.SECONDS_PER_YEAR // cost.MONTHS_PER_YEAR


@dataclass(frozen=True, slots=True)
class RunTokens:
    """Tokens of one run: ``input`` includes what a cache may serve, ``fresh_input`` does not."""

    input: int
    fresh_input: int
    output: int

    @property
    def computed(self) -> int:
        return self.fresh_input + self.output


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """A month of runs with so many agents and rounds; money a month."""

    agents: int
    rounds: int
    input_tokens: int
    fresh_input_tokens: int
    output_tokens: int
    cloud_cost: Decimal
    cloud_cost_cached: Decimal
    own_slices: int
    own_cost: Decimal


@dataclass(frozen=True, slots=True)
class Growth:
    """A month at the asked agents and rounds, and the way there in each direction.

    ``own_from_rounds`` is the first number of rounds from which on, up to the asked, owning is
    cheaper than the cloud with caching; None if it is not even at the end.
    """

    sentence: str
    here: GrowthPoint
    by_rounds: tuple[GrowthPoint, ...]
    by_agents: tuple[GrowthPoint, ...]
    own_from_rounds: int | None


def single_agent_input(*, system_tokens: int, tokens_per_turn: int, turns: int) -> int:
    """Return the input of one conversation that is sent anew each turn: n s + a n (n + 1) / 2."""
    return turns * system_tokens + tokens_per_turn * turns * (turns + 1) // 2


def run_tokens(*, agents: int, rounds: int, system_tokens: int, output_tokens: int) -> RunTokens:
    """Return the tokens of one run of ``agents`` on a shared context."""
    added = agents * agents * output_tokens
    return RunTokens(
        input=agents * rounds * system_tokens + added * rounds * (rounds - 1) // 2,
        fresh_input=agents * system_tokens + added * (rounds - 1),
        output=agents * rounds * output_tokens,
    )


def grow(scenario: Scenario, asked: Agents, prices: PriceList) -> Growth:
    """Return the month of ``asked``, whose price must be in ``prices``."""
    price = next(each for each in prices.tokens if each.id == asked.price)
    slice_ = _Slice.of(scenario, asked)

    def at(agents: int, rounds: int) -> GrowthPoint:
        return _point(asked, price, slice_, agents=agents, rounds=rounds)

    by_rounds = tuple(at(asked.agents, rounds) for rounds in range(1, asked.rounds + 1))
    by_agents = tuple(at(agents, asked.rounds) for agents in range(1, asked.agents + 1))
    since = _own_from(by_rounds)
    return Growth(
        _sentence(by_rounds[-1], since, scenario.currency),
        by_rounds[-1],
        by_rounds,
        by_agents,
        since,
    )


@dataclass(frozen=True, slots=True)
class _Slice:
    """One slice with the model on it: tokens it can compute in a month, and what it costs."""

    tokens_per_month: Decimal
    cost_per_month: Decimal

    @classmethod
    def of(cls, scenario: Scenario, asked: Agents) -> "_Slice":
        model, platform = scenario.model(asked.model), scenario.platform
        goal = scenario.sizing or SizingGoal()
        usable = goal.availability * goal.max_utilisation / goal.peak_factor
        yearly = cost.yearly_cost(platform, utilisation=scenario.utilisation).total
        weight = platform.geometry.weights[model.slice]
        return cls(
            model.tokens_per_second * SECONDS_PER_MONTH * usable,
            yearly / platform.gpus * weight / cost.MONTHS_PER_YEAR,
        )


def _point(
    asked: Agents, price: TokenPrice, slice_: _Slice, *, agents: int, rounds: int
) -> GrowthPoint:
    one = run_tokens(
        agents=agents,
        rounds=rounds,
        system_tokens=asked.system_tokens,
        output_tokens=asked.output_tokens,
    )
    runs = asked.runs_per_month
    cached_price = price.cached_input_per_million
    if cached_price is None:
        cached_price = price.input_per_million
    written = cost.charge(one.output, price.output_per_million)
    plain = cost.charge(one.input, price.input_per_million) + written
    cached = (
        cost.charge(one.fresh_input, price.input_per_million)
        + cost.charge(one.input - one.fresh_input, cached_price)
        + written
    )
    slices = sizing.whole_up(one.computed * runs / slice_.tokens_per_month)
    return GrowthPoint(
        agents=agents,
        rounds=rounds,
        input_tokens=one.input * runs,
        fresh_input_tokens=one.fresh_input * runs,
        output_tokens=one.output * runs,
        cloud_cost=plain * runs,
        cloud_cost_cached=cached * runs,
        own_slices=slices,
        own_cost=slices * slice_.cost_per_month,
    )


def _own_from(points: tuple[GrowthPoint, ...]) -> int | None:
    since = None
    for each in reversed(points):
        if each.own_cost >= each.cloud_cost_cached:
            break
        since = each.rounds
    return since


def _sentence(end: GrowthPoint, since: int | None, currency: str) -> str:
    own, slices = wording.money(end.own_cost, currency), wording.counted(end.own_slices, "slice")
    cloud = wording.money(end.cloud_cost_cached, currency)
    uncached = wording.money(end.cloud_cost, currency)
    numbers = (
        f"{own} a month on {slices} against {cloud} in the cloud with prompt caching "
        f"and {uncached} without"
    )
    if since is None:
        return f"The cloud is cheaper: {numbers}."
    return f"Owning is cheaper from {wording.counted(since, 'round')} on: {numbers}."
