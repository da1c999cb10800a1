"""Tornado: which input moves the cost of a million tokens most (6.9).

Each input is moved down and up by the same ratio with the rest fixed.  The residual value moves
with the price, PUE in what is above 1, and utilisation stops at 1.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from tokenomics.core import cost
from tokenomics.core.scenario import Platform, Scenario

_ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class Bar:
    """Cost per million with the input lowered and raised; ``swing`` is their distance."""

    name: str
    low_per_million: Decimal
    high_per_million: Decimal
    swing_per_million: Decimal


@dataclass(frozen=True, slots=True)
class Tornado:
    """All bars, the widest first, around ``base_per_million``."""

    ratio: Decimal
    base_per_million: Decimal
    bars: tuple[Bar, ...]


def _price(platform: Platform, factor: Decimal) -> Platform:
    assets = (
        replace(each, price=each.price * factor, residual=each.residual * factor)
        for each in platform.assets
    )
    return replace(platform, assets=tuple(assets))


def _life(platform: Platform, factor: Decimal) -> Platform:
    assets = (replace(each, life_years=each.life_years * factor) for each in platform.assets)
    return replace(platform, assets=tuple(assets))


def _maintenance(platform: Platform, factor: Decimal) -> Platform:
    assets = (
        replace(each, maintenance_ratio_per_year=each.maintenance_ratio_per_year * factor)
        for each in platform.assets
    )
    return replace(platform, assets=tuple(assets))


def _other(platform: Platform, factor: Decimal) -> Platform:
    costs = (
        replace(each, cost_per_year=each.cost_per_year * factor) for each in platform.other_costs
    )
    return replace(platform, other_costs=tuple(costs))


_OF_PLATFORM: Final[dict[str, Callable[[Platform, Decimal], Platform]]] = {
    "purchase price": _price,
    "life": _life,
    "maintenance": _maintenance,
    "other costs": _other,
    "electricity price": lambda p, f: replace(
        p, electricity_price_per_kwh=p.electricity_price_per_kwh * f
    ),
    "host watts": lambda p, f: replace(p, host_watts=p.host_watts * f),
    "GPU watts at full load": lambda p, f: replace(p, gpu_max_watts=p.gpu_max_watts * f),
    "PUE": lambda p, f: replace(p, pue=1 + (p.pue - 1) * f),
}


def tornado(scenario: Scenario) -> Tornado:
    """Return every input's swing at the scenario's utilisation, by ``sensitivity_ratio``."""
    ratio, at = scenario.sensitivity_ratio, scenario.utilisation
    base = _per_million(scenario.platform, scenario, at)
    bars = [*_of_load(scenario, base, ratio), *_of_platform(scenario, ratio)]
    return Tornado(ratio, base, tuple(sorted(bars, key=lambda each: -each.swing_per_million)))


def _of_load(scenario: Scenario, base: Decimal, ratio: Decimal) -> Iterator[Bar]:
    at = scenario.utilisation
    yield _bar("throughput", base / (1 - ratio), base / (1 + ratio))
    yield _bar(
        "utilisation",
        _per_million(scenario.platform, scenario, at * (1 - ratio)),
        _per_million(scenario.platform, scenario, min(at * (1 + ratio), _ONE)),
    )


def _of_platform(scenario: Scenario, ratio: Decimal) -> Iterator[Bar]:
    for name, moved in _OF_PLATFORM.items():
        if moved is _other and not scenario.platform.other_costs:
            continue
        low, high = (
            _per_million(moved(scenario.platform, factor), scenario, scenario.utilisation)
            for factor in (1 - ratio, 1 + ratio)
        )
        yield _bar(name, low, high)


def _bar(name: str, low: Decimal, high: Decimal) -> Bar:
    return Bar(name, low, high, abs(high - low))


def _per_million(platform: Platform, scenario: Scenario, utilisation: Decimal) -> Decimal:
    tokens = cost.capacity_tokens_per_year(scenario.models) * utilisation
    total = cost.yearly_cost(platform, utilisation=utilisation).total
    return total / tokens * cost.TOKENS_PER_MILLION
