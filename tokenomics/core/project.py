"""A proof of concept: worth hardware, a booking, or only a cloud's tokens (6.7).

Buying commits the whole purchase, again each time a life ends within the project, and nothing is
resold: what a project of a few months really binds.  Running cost is that of the project's load.
The cloud is cheaper exactly when the project is shorter than t* (or below u*, which implies it).
"""

import enum
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from tokenomics.core import breakeven, cost, sizing, wording
from tokenomics.core.scenario import PriceList, Project, Scenario

_ONE: Final = Decimal(1)


class Verdict(enum.StrEnum):
    """The cheapest way, or that the platform cannot carry it."""

    CLOUD = "cloud"
    BOOK = "book"
    BUY = "buy"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Answer:
    """Money over the whole project; ``payback_months`` None: buying never pays back.

    ``utilisation`` is the project's own share of the platform's capacity.  ``booking_cost`` is at
    the platform's rate, None when no booked hours are given.
    """

    verdict: Verdict
    sentence: str
    months: Decimal
    tokens: Decimal
    utilisation: Decimal
    cloud_cost: Decimal
    buying_cost: Decimal
    booking_cost: Decimal | None
    payback_months: Decimal | None
    break_even_utilisation: Decimal | None


def weigh(scenario: Scenario, project: Project, prices: PriceList) -> Answer:
    """Return the three ways for ``project``, whose price must be in ``prices``."""
    price = next(each for each in prices.tokens if each.id == project.price)
    per_million = breakeven.blended(price, scenario.token_mix)
    platform, line = scenario.platform, cost.cost_line(scenario.platform)
    capacity = cost.capacity_tokens_per_year(scenario.models)
    used = Decimal(project.tokens_per_month * cost.MONTHS_PER_YEAR) / capacity
    running = cost.yearly_cost(platform, utilisation=min(used, _ONE)).running
    tokens = project.tokens_per_month * project.months
    cloud = cost.charge(tokens, per_million)
    buying = _bought(scenario, project) + running * project.months / cost.MONTHS_PER_YEAR
    booking = _booked(scenario, project)
    answer = Answer(
        verdict=_verdict(used, cloud, buying, booking),
        sentence="",
        months=project.months,
        tokens=tokens,
        utilisation=used,
        cloud_cost=cloud,
        buying_cost=buying,
        booking_cost=booking,
        payback_months=breakeven.payback_months(
            cost.purchase_price(platform),
            cloud_per_month=cloud / project.months,
            running_per_month=running / cost.MONTHS_PER_YEAR,
        ),
        break_even_utilisation=breakeven.utilisation_at(
            line, capacity=capacity, price_per_million=per_million
        ),
    )
    return _with_sentence(answer, scenario.currency)


def _bought(scenario: Scenario, project: Project) -> Decimal:
    platform = scenario.platform
    return platform.redundancy * sum(
        (
            each.price
            * cost.pieces(platform, each.per)
            * sizing.whole_up(project.months / (each.life_years * cost.MONTHS_PER_YEAR))
            for each in platform.assets
        ),
        Decimal(),
    )


def _booked(scenario: Scenario, project: Project) -> Decimal | None:
    if project.booked_gpu_hours_per_month is None:
        return None
    platform = scenario.platform
    total = cost.yearly_cost(platform, utilisation=scenario.utilisation).total
    rate = total / (platform.gpus * cost.HOURS_PER_YEAR * project.planned_booked_ratio)
    return rate * project.booked_gpu_hours_per_month * project.months


def _verdict(used: Decimal, cloud: Decimal, buying: Decimal, booking: Decimal | None) -> Verdict:
    if used > 1:
        return Verdict.TOO_LARGE
    ways = [(cloud, 0, Verdict.CLOUD), (buying, 2, Verdict.BUY)]
    if booking is not None:
        ways.append((booking, 1, Verdict.BOOK))
    return min(ways)[2]


def _with_sentence(answer: Answer, currency: str) -> Answer:
    cloud = wording.money(answer.cloud_cost, currency)
    buying = wording.money(answer.buying_cost, currency)
    span = wording.months(answer.months)
    booked = (
        ""
        if answer.booking_cost is None
        else f"; booking costs {wording.money(answer.booking_cost, currency)}"
    )
    sentence = {
        Verdict.CLOUD: f"The cloud is cheaper: {cloud} against {buying} for buying, over {span}",
        Verdict.BUY: f"Buying is cheaper: {buying} against {cloud} in the cloud, over {span}",
        Verdict.BOOK: f"Book it: the cloud costs {cloud} and buying {buying}, over {span}",
        Verdict.TOO_LARGE: (
            f"The platform cannot carry it: it would be used to "
            f"{wording.percent(answer.utilisation)}; the cloud costs {cloud}"
        ),
    }[answer.verdict]
    return replace(answer, sentence=f"{sentence}{booked}.")
