"""Several models side by side, questions routed by how hard they are (6.5).

    g_j = w_j / theta_j       GPU-seconds a token takes on model j
    g   = sum share_j g_j     and 1 / g tokens per second and GPU: the harmonic mean

Averaging throughputs instead overstates what the slow model's share costs, or understates the
slices; it is given beside it to be recognised.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tokenomics.core import breakeven, cost, wording
from tokenomics.core.scenario import PriceList, Route, Scenario

_ZERO: Final = Decimal()


@dataclass(frozen=True, slots=True)
class RouteCost:
    """What a million tokens cost on one route; ``cloud_cost_per_million`` of its equivalent."""

    name: str
    model: str
    token_ratio: Decimal
    gpu_seconds_per_million: Decimal
    gpu_time_ratio: Decimal
    cost_per_million: Decimal
    cloud_cost_per_million: Decimal | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The blend of all routes.

    ``tokens_per_second_per_gpu`` is harmonic, ``arithmetic_mean_tokens_per_second`` the wrong mean
    of the slices' throughputs.  ``all_on_largest_per_million`` is what the tokens would cost if
    the dearest of the models answered everything.
    """

    sentence: str
    tokens_per_second_per_gpu: Decimal
    arithmetic_mean_tokens_per_second: Decimal
    cost_per_million: Decimal
    all_on_largest_per_million: Decimal
    saving_ratio: Decimal
    routes: tuple[RouteCost, ...]


def gpu_seconds_per_token(scenario: Scenario, model_name: str) -> Decimal:
    """Return g of one model: the GPU equivalents of its slice over its tokens per second."""
    model = scenario.model(model_name)
    return scenario.platform.geometry.weights[model.slice] / model.tokens_per_second


def blend(scenario: Scenario, prices: PriceList | None) -> Fleet:
    """Return the fleet of the scenario's routes, of which there must be some."""
    platform = scenario.platform
    total = cost.yearly_cost(platform, utilisation=scenario.utilisation).total
    busy_seconds = platform.gpus * cost.SECONDS_PER_YEAR * scenario.utilisation
    per_gpu_second = total / busy_seconds
    seconds = {each.name: gpu_seconds_per_token(scenario, each.model) for each in scenario.routes}
    blended = sum((each.token_ratio * seconds[each.name] for each in scenario.routes), _ZERO)
    routes = tuple(
        _route(each, scenario, prices, seconds[each.name], blended, per_gpu_second)
        for each in scenario.routes
    )
    per_million = per_gpu_second * blended * cost.TOKENS_PER_MILLION
    largest = max(each.cost_per_million for each in routes)
    rates = [scenario.model(each.model).tokens_per_second for each in scenario.routes]
    saving = 1 - per_million / largest if largest else _ZERO
    return Fleet(
        sentence=(
            f"Routed, a million tokens cost {wording.per_million(per_million, scenario.currency)}: "
            f"{wording.percent(saving)} less than "
            f"{wording.per_million(largest, scenario.currency)} "
            "if the dearest model answered everything."
        ),
        tokens_per_second_per_gpu=1 / blended,
        arithmetic_mean_tokens_per_second=sum(rates, _ZERO) / len(rates),
        cost_per_million=per_million,
        all_on_largest_per_million=largest,
        saving_ratio=saving,
        routes=routes,
    )


def _route(
    route: Route,
    scenario: Scenario,
    prices: PriceList | None,
    seconds: Decimal,
    blended: Decimal,
    per_gpu_second: Decimal,
) -> RouteCost:
    equivalent = scenario.model(route.model).compare_with
    price = next((p for p in (prices.tokens if prices else ()) if p.id == equivalent), None)
    return RouteCost(
        name=route.name,
        model=route.model,
        token_ratio=route.token_ratio,
        gpu_seconds_per_million=seconds * cost.TOKENS_PER_MILLION,
        gpu_time_ratio=route.token_ratio * seconds / blended,
        cost_per_million=per_gpu_second * seconds * cost.TOKENS_PER_MILLION,
        cloud_cost_per_million=breakeven.blended(price, scenario.token_mix) if price else None,
    )
