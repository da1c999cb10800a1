"""Own or rent: at which utilisation the platform undercuts a cloud's price (6.7).

    u* = F / (p Q - V),  T* = u* Q,  t* = K / (cloud a month - running cost a month)

``p`` is money per token.  p Q <= V: never, the energy above idle alone costs more.  u* > 1: the
cloud is cheaper at any load this hardware can carry.  F = 0: owning is always cheaper.  At u* a
million tokens cost the same on both sides.

A rented GPU is compared per token too, as if it were paid for busy seconds only: the kindest
reading for the cloud.  Rented all year is given beside it.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tokenomics.core import cost, wording
from tokenomics.core.fields import InvalidScenario, Problem
from tokenomics.core.scenario import PriceList, Scenario, TokenMix, TokenPrice

_ZERO: Final = Decimal()
_ONE: Final = Decimal(1)


class Verdict(enum.StrEnum):
    """Who is cheaper, over all utilisations."""

    OWN_ALWAYS = "own_always"
    BREAK_EVEN = "break_even"
    CLOUD_ALWAYS = "cloud_always"
    NEVER = "never"


class Kind(enum.StrEnum):
    """What is offered."""

    MIX = "mix"
    TOKENS = "tokens"
    RENTAL = "rental"


@dataclass(frozen=True, slots=True)
class Offer:
    """A cloud's price as money per million tokens; ``rented_all_year`` is money a year."""

    id: str
    provider: str
    kind: Kind
    price_per_million: Decimal
    rented_all_year: Decimal | None = None


@dataclass(frozen=True, slots=True)
class BreakEven:
    """One offer against the platform.

    ``utilisation`` [u*], ``tokens_per_year`` [T*] and ``busy_hours_per_gpu_year`` are None where
    ``verdict`` is NEVER; over 1 where it is CLOUD_ALWAYS.  ``payback_months`` [t*] is at the
    scenario's utilisation, None if owning never pays the purchase back there.
    """

    offer: Offer
    verdict: Verdict
    sentence: str
    utilisation: Decimal | None
    tokens_per_year: Decimal | None
    busy_hours_per_gpu_year: Decimal | None
    payback_months: Decimal | None
    cloud_cost_per_year: Decimal
    own_cost_per_year: Decimal


def blended(price: TokenPrice, mix: TokenMix) -> Decimal:
    """Return money per million tokens of ``mix``; cached input without a price costs as input."""
    cached = price.cached_input_per_million
    return (
        price.input_per_million * mix.input_ratio
        + (price.input_per_million if cached is None else cached) * mix.cached_input_ratio
        + price.output_per_million * mix.output_ratio
    )


def prices_for(scenario: Scenario, installation: PriceList) -> PriceList | None:
    """Return the scenario's own price list, else the installation's; None if currencies differ.

    Raises `InvalidScenario` when the scenario names a price that is not in it.
    """
    prices = scenario.prices or installation
    problems: list[Problem] = []
    if prices.currency != scenario.currency:
        problems = [
            Problem(
                field,
                "mixed_currencies",
                f"the price list is in {prices.currency}, the scenario in {scenario.currency}: "
                f"give prices in {scenario.currency}",
            )
            for field, _ in _named_prices(scenario)
        ]
    else:
        known = {each.id for each in prices.tokens}
        problems = [
            Problem(field, "unknown_price", f"{name} is none of: {', '.join(sorted(known))}")
            for field, name in _named_prices(scenario)
            if name not in known
        ]
    if problems:
        raise InvalidScenario(problems)
    return prices if prices.currency == scenario.currency else None


def _named_prices(scenario: Scenario) -> Iterator[tuple[str, str]]:
    for index, model in enumerate(scenario.models):
        if model.compare_with is not None:
            yield f"models[{index}].compare_with", model.compare_with
    if scenario.project:
        yield "project.price", scenario.project.price
    if scenario.agents:
        yield "agents.price", scenario.agents.price


def offers(scenario: Scenario, prices: PriceList) -> tuple[Offer, ...]:
    """Return what the platform is compared with: its own mix first, then list prices.

    The mix weighs each model's equivalent by the model's capacity; it is there when every
    installed model has one.  Rentals are those of the platform's own GPU: throughput is of it.
    """
    by_id = {each.id: each for each in prices.tokens}
    found = [
        Offer(each.id, each.provider, Kind.TOKENS, blended(each, scenario.token_mix))
        for each in prices.tokens
    ]
    found += [
        Offer(
            each.id,
            each.provider,
            Kind.RENTAL,
            cost.cost_per_million(yearly, cost.capacity_tokens_per_year(scenario.models)) or _ZERO,
            yearly,
        )
        for each in prices.rentals
        if each.gpu == scenario.platform.gpu
        for yearly in (each.price_per_gpu_hour * scenario.platform.gpus * cost.HOURS_PER_YEAR,)
    ]
    mix = _mix_price(scenario, by_id)
    if mix is not None:
        found.insert(0, Offer("equivalents", "cloud equivalents of the models", Kind.MIX, mix))
    return tuple(found)


def _mix_price(scenario: Scenario, by_id: Mapping[str, TokenPrice]) -> Decimal | None:
    installed = [each for each in scenario.models if each.replicas]
    if any(each.compare_with is None for each in installed):
        return None
    rates = {each.name: each.tokens_per_second * each.replicas for each in installed}
    total = sum(
        (
            blended(by_id[str(each.compare_with)], scenario.token_mix) * rates[each.name]
            for each in installed
        ),
        _ZERO,
    )
    return total / sum(rates.values(), _ZERO)


def utilisation_at(
    line: cost.CostLine, *, capacity: Decimal, price_per_million: Decimal
) -> Decimal | None:
    """Return u*, which may be over 1; None if owning is never cheaper.

    ``capacity`` is tokens a year at full load [Q].
    """
    cloud_at_full_load = cost.charge(capacity, price_per_million)
    if cloud_at_full_load <= line.at_full_load:
        return None
    return line.fixed / (cloud_at_full_load - line.at_full_load)


def payback_months(
    purchase: Decimal, *, cloud_per_month: Decimal, running_per_month: Decimal
) -> Decimal | None:
    """Return the months after which ``purchase`` is paid back [t*]; None if never."""
    saved = cloud_per_month - running_per_month
    return purchase / saved if saved > 0 else None


@dataclass(frozen=True, slots=True)
class _Own:
    """The platform's side, the same for every offer."""

    currency: str
    utilisation: Decimal
    capacity: Decimal
    line: cost.CostLine
    cost: cost.YearlyCost
    purchase: Decimal

    @classmethod
    def of(cls, scenario: Scenario) -> "_Own":
        platform, at = scenario.platform, scenario.utilisation
        return cls(
            scenario.currency,
            at,
            cost.capacity_tokens_per_year(scenario.models),
            cost.cost_line(platform),
            cost.yearly_cost(platform, utilisation=at),
            cost.purchase_price(platform),
        )


def compare(scenario: Scenario, offer: Offer) -> BreakEven:
    """Return the platform against one offer."""
    return _compared(_Own.of(scenario), offer)


def compare_all(scenario: Scenario, prices: PriceList) -> tuple[BreakEven, ...]:
    """Return the platform against every offer of ``prices``."""
    own = _Own.of(scenario)
    return tuple(_compared(own, offer) for offer in offers(scenario, prices))


def _compared(own: _Own, offer: Offer) -> BreakEven:
    cloud = cost.charge(own.capacity * own.utilisation, offer.price_per_million)
    found = utilisation_at(
        own.line, capacity=own.capacity, price_per_million=offer.price_per_million
    )
    verdict = _verdict(found)
    return BreakEven(
        offer=offer,
        verdict=verdict,
        sentence=_sentence(own, offer, verdict, found),
        utilisation=found,
        tokens_per_year=None if found is None else found * own.capacity,
        busy_hours_per_gpu_year=None if found is None else found * cost.HOURS_PER_YEAR,
        payback_months=payback_months(
            own.purchase,
            cloud_per_month=cloud / cost.MONTHS_PER_YEAR,
            running_per_month=own.cost.running / cost.MONTHS_PER_YEAR,
        ),
        cloud_cost_per_year=cloud,
        own_cost_per_year=own.cost.total,
    )


def _verdict(utilisation: Decimal | None) -> Verdict:
    if utilisation is None:
        return Verdict.NEVER
    if utilisation > 1:
        return Verdict.CLOUD_ALWAYS
    return Verdict.BREAK_EVEN if utilisation else Verdict.OWN_ALWAYS


def _sentence(own: _Own, offer: Offer, verdict: Verdict, utilisation: Decimal | None) -> str:
    price = f"{wording.per_million(offer.price_per_million, own.currency)} per M"
    if verdict == Verdict.NEVER or utilisation is None:
        return f"Never: at {price} the cloud costs less than the electricity of the load alone."
    if verdict == Verdict.CLOUD_ALWAYS:
        full = cost.point(own.line, capacity=own.capacity, utilisation=_ONE).cost_per_million
        ours = wording.per_million(full, own.currency)
        return f"The cloud is cheaper at any load: {price} against {ours} per M at 100 %."
    if verdict == Verdict.OWN_ALWAYS:
        return f"Owning is cheaper at any load than {price}: it has no fixed cost."
    at, load = wording.percent(utilisation), wording.tokens(utilisation * own.capacity)
    return f"Owning is cheaper than {price} from {at} utilisation, {load} a year."
