"""The inputs of planning as frozen data: what a scenario file says.

Units are in the names.  Money is `Decimal` in the scenario's ``currency``; ratios run 0..1;
``tokens`` are processed tokens: computed input and output, without what came from a cache.
Symbols in brackets are those of docs/design/planning.md.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, TypeVar

from tokenomics.core import packing
from tokenomics.core.fields import (
    InvalidScenario,
    Problem,
    choice,
    day,
    items,
    nested,
    number,
    plain,
    read,
    repeated,
    text,
    whole,
)
from tokenomics.core.gpus import GPUS, Gpu

T = TypeVar("T")

MOST_TOKENS: Final = 10**18
CURRENCY: Final = "[A-Z]{3}"


class Per(enum.StrEnum):
    """What an amount is paid for."""

    SERVER = "server"
    GPU = "gpu"
    PLATFORM = "platform"


class Depreciation(enum.StrEnum):
    """How a purchase becomes a yearly cost."""

    STRAIGHT_LINE = "straight_line"
    ANNUITY = "annuity"


class Unit(enum.StrEnum):
    """The least that can be bought."""

    GPU = "gpu"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Something bought: price [K], what it still fetches at the end [R], life [n], upkeep [m]."""

    name: str = text()
    price: Decimal = number()
    residual: Decimal = number(default="0")
    life_years: Decimal = number("0.25", "30")
    maintenance_ratio_per_year: Decimal = number("0", "1", default="0")
    per: Per = choice(Per, default=Per.SERVER)
    depreciation: Depreciation = choice(Depreciation, default=Depreciation.STRAIGHT_LINE)
    interest_ratio_per_year: Decimal = number("0", "1", default="0")

    def check(self) -> Iterator[Problem]:
        if self.residual > self.price:
            yield Problem("residual", "out_of_range", f"at most the price, {self.price:f}")
        if self.depreciation == Depreciation.STRAIGHT_LINE and self.interest_ratio_per_year:
            message = "only with depreciation: annuity; leave it out for straight_line"
            yield Problem("interest_ratio_per_year", "not_used", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCost:
    """A yearly cost with a name: licences, space, staff [X]."""

    name: str = text()
    cost_per_year: Decimal = number()
    per: Per = choice(Per, default=Per.PLATFORM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What is installed, what it cost, what it draws.

    ``redundancy`` [rho] multiplies capital and maintenance of the hardware named here; leave it 1
    when the spare hardware is named already.
    """

    gpu: str = text(40)
    gpus: int = whole(1, packing.MOST_GPUS)
    gpus_per_server: int = whole(1, 64)
    servers: int = whole(1, packing.MOST_GPUS)
    assets: tuple[Asset, ...] = items(Asset, most=20)
    other_costs: tuple[OtherCost, ...] = items(OtherCost, most=20, default=())
    redundancy: Decimal = number("1", "10", default="1")
    electricity_price_per_kwh: Decimal = number("0", "1000")
    pue: Decimal = number("1", "5")
    host_watts: Decimal = number("0", "1e6")
    gpu_idle_watts: Decimal = number("0", "1e5")
    gpu_max_watts: Decimal = number("0", "1e5")

    @property
    def geometry(self) -> Gpu:
        return GPUS[self.gpu]

    def check(self) -> Iterator[Problem]:
        if self.gpu not in GPUS:
            yield Problem("gpu", "unknown_gpu", f"{self.gpu} is none of: {', '.join(GPUS)}")
        room = self.servers * self.gpus_per_server
        if self.gpus > room:
            message = f"{self.servers} servers with {self.gpus_per_server} GPUs hold {room}"
            yield Problem("gpus", "out_of_range", message)
        if self.gpu_idle_watts > self.gpu_max_watts:
            message = f"at most gpu_max_watts, {self.gpu_max_watts:f}"
            yield Problem("gpu_idle_watts", "out_of_range", message)
        yield from repeated([each.name for each in self.assets], "assets[{}].name".format)
        yield from repeated([each.name for each in self.other_costs], "other_costs[{}].name".format)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model on one kind of slice: throughput of one replica [theta], replicas installed.

    ``memory_gib`` is what one replica needs; ``compare_with`` names the cloud's equivalent in the
    price list; ``demand_tokens_per_year`` [D] is for sizing.
    """

    name: str = text()
    slice: str = text(20)
    tokens_per_second: Decimal = number("0", "1e9", above=True)
    replicas: int = whole(0, 10_000, default=0)
    memory_gib: Decimal | None = number("0", "1e5", default=None)
    demand_tokens_per_year: int = whole(0, MOST_TOKENS, default=0)
    compare_with: str | None = text(120, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMix:
    """Shares of a cloud bill's three kinds of tokens; they add up to 1."""

    input_ratio: Decimal = number("0", "1", default="0.5")
    cached_input_ratio: Decimal = number("0", "1", default="0")
    output_ratio: Decimal = number("0", "1", default="0.5")

    def check(self) -> Iterator[Problem]:
        total = self.input_ratio + self.cached_input_ratio + self.output_ratio
        if total != 1:
            message = f"input, cached input and output add up to {total:f}; they must make 1"
            yield Problem("output_ratio", "not_one", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """A provider's list price per million tokens; without a cached price input is paid in full."""

    id: str = text(120)
    provider: str = text()
    input_per_million: Decimal = number("0", "1e6")
    cached_input_per_million: Decimal | None = number("0", "1e6", default=None)
    output_per_million: Decimal = number("0", "1e6")
    source: str | None = text(300, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RentalPrice:
    """A provider's price for one GPU for one hour."""

    id: str = text(120)
    provider: str = text()
    gpu: str = text(40)
    price_per_gpu_hour: Decimal = number("0", "1e6")
    source: str | None = text(300, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """What clouds ask, as read on one day from named sources."""

    currency: str = text(3, pattern=CURRENCY)
    read_on: date = day()
    source: str = text(300)
    tokens: tuple[TokenPrice, ...] = items(TokenPrice, most=200, default=())
    rentals: tuple[RentalPrice, ...] = items(RentalPrice, most=200, default=())

    def check(self) -> Iterator[Problem]:
        yield from repeated([each.id for each in self.tokens], "tokens[{}].id".format)
        yield from repeated([each.id for each in self.rentals], "rentals[{}].id".format)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingGoal:
    """How much room there must be: peak over mean [kappa], availability [A], ceiling [u_max].

    ``redundancy`` [rho] and ``spare_gpus`` [k] add GPUs; ``buy_in`` is the least one can buy.
    """

    peak_factor: Decimal = number("1", "1000", default="1")
    availability: Decimal = number("0", "1", above=True, default="1")
    max_utilisation: Decimal = number("0", "1", above=True, default="1")
    redundancy: Decimal = number("1", "10", default="1")
    spare_gpus: int = whole(0, 100, default=0)
    buy_in: Unit = choice(Unit, default=Unit.GPU)
    budget_per_year: Decimal | None = number(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A proof of concept of ``months`` [d]: buy for it, book for it, or pay a cloud per token.

    ``booked_gpu_hours_per_month`` are GPU equivalents times hours, priced at the platform's cost
    per GPU-hour at ``planned_booked_ratio``.
    """

    months: Decimal = number("0", "360", above=True)
    tokens_per_month: int = whole(0, MOST_TOKENS)
    price: str = text(120)
    booked_gpu_hours_per_month: Decimal | None = number("0", "1e6", default=None)
    planned_booked_ratio: Decimal = number("0", "1", above=True, default="0.7")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """Agents on one shared context: in each round every agent reads all and adds to it.

    One run is ``rounds`` [n] rounds of ``agents`` [k]; everybody starts with ``system_tokens`` [s]
    and adds ``output_tokens`` [o] a round.
    """

    agents: int = whole(1, 200)
    rounds: int = whole(1, 200)
    system_tokens: int = whole(0, 10**7)
    output_tokens: int = whole(1, 10**6)
    runs_per_month: int = whole(1, 10**9)
    price: str = text(120)
    model: str = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A share of the tokens that goes to one model, by how hard the question is."""

    name: str = text()
    model: str = text()
    token_ratio: Decimal = number("0", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredModel:
    """What one model did in a month: tokens processed, and seconds its replicas were busy."""

    model: str = text()
    tokens: int = whole(0, MOST_TOKENS)
    busy_replica_seconds: Decimal = number("0", "1e12")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMonth:
    """A month as it was measured.  Energy is of the IT alone, before cooling.

    ``active_ratio`` is the mean of GR_ENGINE_ACTIVE over the installed GPUs.
    """

    month: str = text(7, pattern="[0-9]{4}-(0[1-9]|1[0-2])")
    hours: Decimal = number("1", "745")
    gpu_kwh: Decimal = number("0", "1e9")
    host_kwh: Decimal | None = number("0", "1e9", default=None)
    active_ratio: Decimal = number("0", "1")
    models: tuple[MeasuredModel, ...] = items(MeasuredModel, most=64, default=())

    def check(self) -> Iterator[Problem]:
        yield from repeated([each.model for each in self.models], "models[{}].model".format)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A question to planning.  Parts that are None are not asked for.

    ``utilisation`` [u] is tokens processed over token capacity, the point at which single figures
    are given.  ``prices`` replaces the installation's list of cloud prices.
    """

    version: int = whole(1, 1)
    name: str = text(120)
    currency: str = text(3, pattern=CURRENCY)
    utilisation: Decimal = number("0", "1", above=True)
    platform: Platform = nested(Platform)
    models: tuple[Model, ...] = items(Model, least=1, most=64)
    token_mix: TokenMix = nested(TokenMix, default=TokenMix())
    sizing: SizingGoal | None = nested(SizingGoal, default=None)
    project: Project | None = nested(Project, default=None)
    agents: Agents | None = nested(Agents, default=None)
    routes: tuple[Route, ...] = items(Route, most=64, default=())
    sensitivity_ratio: Decimal = number("0", "0.9", above=True, default="0.2")
    measured: MeasuredMonth | None = nested(MeasuredMonth, default=None)
    prices: PriceList | None = nested(PriceList, default=None)

    @property
    def replicas_by_slice(self) -> dict[str, int]:
        """How many slices of each profile the installed models take."""
        counts: dict[str, int] = {}
        for model in self.models:
            counts[model.slice] = counts.get(model.slice, 0) + model.replicas
        return counts

    def model(self, name: str) -> Model:
        return next(each for each in self.models if each.name == name)

    def check(self) -> Iterator[Problem]:
        yield from repeated([each.name for each in self.models], "models[{}].name".format)
        yield from repeated([each.name for each in self.routes], "routes[{}].name".format)
        unknown = list(self._unknown_slices())
        yield from unknown
        if not unknown:
            yield from self._too_many_slices()
        yield from self._unknown_models()
        total = sum(each.token_ratio for each in self.routes)
        if self.routes and total != 1:
            message = f"the routes' shares add up to {total:f}; they must make 1"
            yield Problem("routes", "not_one", message)
        if self.prices and self.prices.currency != self.currency:
            message = f"{self.prices.currency} with a scenario in {self.currency}: use one currency"
            yield Problem("prices.currency", "mixed_currencies", message)

    def _unknown_slices(self) -> Iterator[Problem]:
        known = self.platform.geometry.profiles
        for index, model in enumerate(self.models):
            if model.slice not in known:
                message = f"{model.slice} is none of: {', '.join(known)}"
                yield Problem(f"models[{index}].slice", "unknown_profile", message)

    def _too_many_slices(self) -> Iterator[Problem]:
        gpus = self.platform.gpus
        counts = self.replicas_by_slice
        if not any(counts.values()):
            message = "at least one model needs replicas: there is no capacity otherwise"
            yield Problem("models", "no_capacity", message)
        elif not packing.fits(self.platform.geometry, counts, gpus=gpus):
            needed = packing.gpus_needed(self.platform.geometry, counts)
            more = f"more than {packing.MOST_GPUS}" if needed is None else str(needed)
            message = f"the replicas need {more} GPUs, platform.gpus is {gpus}"
            yield Problem("models", "does_not_fit", message)

    def _unknown_models(self) -> Iterator[Problem]:
        names = [each.name for each in self.models]
        known = f"none of: {', '.join(names)}"
        for index, route in enumerate(self.routes):
            if route.model not in names:
                message = f"{route.model} is {known}"
                yield Problem(f"routes[{index}].model", "unknown_model", message)
        if self.agents and self.agents.model not in names:
            yield Problem("agents.model", "unknown_model", f"{self.agents.model} is {known}")
        for index, measured in enumerate(self.measured.models if self.measured else ()):
            if measured.model not in names:
                message = f"{measured.model} is {known}"
                yield Problem(f"measured.models[{index}].model", "unknown_model", message)


def scenario_of(data: object) -> Scenario:
    """Return the scenario that plain data describes.

    Numbers may be given as int, Decimal, float or text.  Raises `InvalidScenario` with every
    problem at once; its paths look like ``models[0].slice``.
    """
    return _of(Scenario, data)


def prices_of(data: object) -> PriceList:
    """Return the price list that plain data describes; raises `InvalidScenario`."""
    return _of(PriceList, data)


def _of(kind: type[T], data: object) -> T:
    problems: list[Problem] = []
    found = read(kind, data, path="", problems=problems)
    if found is None or problems:
        raise InvalidScenario(problems)
    return found


def plain_of(scenario: "Scenario | PriceList") -> dict[str, object]:
    """Return plain data from which the same scenario or price list can be read again."""
    return plain(scenario)
