"""Forward: what a platform costs in a year, and a million tokens on it.

    C = rho A + rho M + X + E tau + E (pi - 1) tau         money a year
    E(u) = (P_host + N (P_idle + (P_max - P_idle) u)) h    kWh a year
    C(u) = F + V u,   c(u) = C(u) / (u Q / 1e6)            money per million tokens

A is (K - R)/n in a straight line, or the annuity that repays K less the discounted R at interest.
Only the energy above idle follows the load; the rest is merely spread over more tokens, which is
why 80 % makes tokens at little more than half the cost of 40 %.  Nothing is rounded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tokenomics.core.scenario import Asset, Depreciation, Model, Per, Platform, Scenario

HOURS_PER_YEAR: Final = 8_760
SECONDS_PER_YEAR: Final = HOURS_PER_YEAR * 3_600
TOKENS_PER_MILLION: Final = 1_000_000
MONTHS_PER_YEAR: Final = 12
_WATTS_PER_KILOWATT: Final = 1_000
_CHART_POINTS: Final = tuple(Decimal(percent) / 100 for percent in range(5, 101, 5))
_ZERO: Final = Decimal()
LOW_LOAD: Final = Decimal("0.4")
HIGH_LOAD: Final = Decimal("0.8")


@dataclass(frozen=True, slots=True)
class YearlyCost:
    """Money a year by category, and the IT's energy in kWh."""

    capital: Decimal
    maintenance: Decimal
    other: Decimal
    power: Decimal
    cooling: Decimal
    energy_kwh: Decimal

    @property
    def total(self) -> Decimal:
        return self.capital + self.maintenance + self.other + self.power + self.cooling

    @property
    def running(self) -> Decimal:
        """All but the capital."""
        return self.total - self.capital


@dataclass(frozen=True, slots=True)
class CostLine:
    """C(u) = ``fixed`` + ``at_full_load`` u, money a year [F, V]."""

    fixed: Decimal
    at_full_load: Decimal


@dataclass(frozen=True, slots=True)
class CostPoint:
    """One point of the curve of cost over utilisation."""

    utilisation: Decimal
    tokens_per_year: Decimal
    cost_per_year: Decimal
    cost_per_million: Decimal


@dataclass(frozen=True, slots=True)
class ModelCost:
    """One model's part: capacity at full load, cost by weight of its slices."""

    name: str
    slice: str
    replicas: int
    gpu_equivalents: Decimal
    capacity_tokens_per_year: Decimal
    cost_per_year: Decimal
    cost_per_million: Decimal | None


@dataclass(frozen=True, slots=True)
class Forward:
    """The forward answer at one utilisation, and the curve around it.

    ``high_over_low`` is c(80 %) / c(40 %).  ``cost_per_gpu_hour`` is of an installed hour, used or
    not.  ``stranded_gpu_equivalents`` is what no model's slice covers; its cost is in no model.
    """

    utilisation: Decimal
    cost: YearlyCost
    purchase_price: Decimal
    capacity_tokens_per_year: Decimal
    tokens_per_year: Decimal
    cost_per_million: Decimal
    cost_per_gpu_hour: Decimal
    high_over_low: Decimal
    stranded_gpu_equivalents: Decimal
    stranded_cost_per_year: Decimal
    models: tuple[ModelCost, ...]
    curve: tuple[CostPoint, ...]


def yearly_capital(asset: Asset) -> Decimal:
    """Return one piece's depreciation a year, with an annuity its interest too (6.1, section 4)."""
    if asset.depreciation == Depreciation.ANNUITY and asset.interest_ratio_per_year:
        interest = asset.interest_ratio_per_year
        discount = (1 + interest) ** -asset.life_years
        return (asset.price - asset.residual * discount) * interest / (1 - discount)
    return (asset.price - asset.residual) / asset.life_years


def pieces(platform: Platform, per: Per) -> int:
    """Return how often something that is paid ``per`` server, GPU or platform is paid."""
    return {Per.SERVER: platform.servers, Per.GPU: platform.gpus, Per.PLATFORM: 1}[per]


def purchase_price(platform: Platform) -> Decimal:
    """Return what all assets cost to buy, redundancy included [rho K]."""
    price = sum((each.price * pieces(platform, each.per) for each in platform.assets), _ZERO)
    return price * platform.redundancy


def energy_kwh(platform: Platform, *, utilisation: Decimal) -> Decimal:
    """Return the IT's energy of a year at ``utilisation`` 0..1, without cooling [E]."""
    swing = platform.gpu_max_watts - platform.gpu_idle_watts
    gpu_watts = platform.gpu_idle_watts + swing * utilisation
    watts = platform.host_watts * platform.servers + gpu_watts * platform.gpus
    return watts * HOURS_PER_YEAR / _WATTS_PER_KILOWATT


def yearly_cost(platform: Platform, *, utilisation: Decimal) -> YearlyCost:
    """Return what ``platform`` costs in a year at ``utilisation`` 0..1 [C]."""
    capital = maintenance = other = _ZERO
    for asset in platform.assets:
        times = pieces(platform, asset.per) * platform.redundancy
        capital += yearly_capital(asset) * times
        maintenance += asset.price * asset.maintenance_ratio_per_year * times
    for cost in platform.other_costs:
        other += cost.cost_per_year * pieces(platform, cost.per)
    energy = energy_kwh(platform, utilisation=utilisation)
    power = energy * platform.electricity_price_per_kwh
    return YearlyCost(capital, maintenance, other, power, power * (platform.pue - 1), energy)


def cost_line(platform: Platform) -> CostLine:
    """Return F and V of ``platform``."""
    fixed = yearly_cost(platform, utilisation=_ZERO).total
    return CostLine(fixed, yearly_cost(platform, utilisation=Decimal(1)).total - fixed)


def capacity_tokens_per_year(models: Sequence[Model]) -> Decimal:
    """Return the tokens a year of all replicas at full load [Q]."""
    rate = sum((each.tokens_per_second * each.replicas for each in models), _ZERO)
    return rate * SECONDS_PER_YEAR


def cost_per_million(cost: Decimal, tokens: Decimal | int) -> Decimal | None:
    """Return money per million tokens; None without tokens: it is undefined then, not infinite."""
    return cost / tokens * TOKENS_PER_MILLION if tokens else None


def hourly_cost_per_million(price_per_hour: Decimal, tokens_per_second: Decimal) -> Decimal:
    """Return money per million tokens of hardware priced by the hour and always busy (4)."""
    return price_per_hour / (tokens_per_second * 3_600) * TOKENS_PER_MILLION


def charge(tokens: Decimal | int, price_per_million: Decimal) -> Decimal:
    """Return what ``tokens`` cost at a price per million."""
    return tokens * price_per_million / TOKENS_PER_MILLION


def point(line: CostLine, *, capacity: Decimal, utilisation: Decimal) -> CostPoint:
    """Return c(u) and its parts for 0 < ``utilisation``, ``capacity`` in tokens a year."""
    tokens = capacity * utilisation
    cost = line.fixed + line.at_full_load * utilisation
    return CostPoint(utilisation, tokens, cost, cost / tokens * TOKENS_PER_MILLION)


def forward(scenario: Scenario) -> Forward:
    """Return what the scenario's platform and a million tokens on it cost."""
    platform, at = scenario.platform, scenario.utilisation
    cost = yearly_cost(platform, utilisation=at)
    line = cost_line(platform)
    capacity = capacity_tokens_per_year(scenario.models)
    here = point(line, capacity=capacity, utilisation=at)
    models = tuple(_model_cost(each, scenario, cost.total) for each in scenario.models)
    stranded = max(platform.gpus - sum((each.gpu_equivalents for each in models), _ZERO), _ZERO)
    return Forward(
        utilisation=at,
        cost=cost,
        purchase_price=purchase_price(platform),
        capacity_tokens_per_year=capacity,
        tokens_per_year=here.tokens_per_year,
        cost_per_million=here.cost_per_million,
        cost_per_gpu_hour=cost.total / (platform.gpus * HOURS_PER_YEAR),
        high_over_low=_high_over_low(line),
        stranded_gpu_equivalents=stranded,
        stranded_cost_per_year=cost.total * stranded / platform.gpus,
        models=models,
        curve=tuple(point(line, capacity=capacity, utilisation=u) for u in _CHART_POINTS),
    )


def _high_over_low(line: CostLine) -> Decimal:
    """Return c(80 %) / c(40 %): exactly a half when nothing depends on the load."""
    low = line.fixed + line.at_full_load * LOW_LOAD
    high = line.fixed + line.at_full_load * HIGH_LOAD
    return high * LOW_LOAD / (low * HIGH_LOAD) if low else Decimal(1)


def _model_cost(model: Model, scenario: Scenario, total: Decimal) -> ModelCost:
    platform = scenario.platform
    weight = platform.geometry.weights[model.slice] * model.replicas
    capacity = capacity_tokens_per_year([model])
    cost = total * weight / platform.gpus
    per_million = cost_per_million(cost, capacity * scenario.utilisation)
    return ModelCost(model.name, model.slice, model.replicas, weight, capacity, cost, per_million)
