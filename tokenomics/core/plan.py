"""One call for all that a scenario asks."""

from dataclasses import dataclass

from tokenomics.core import breakeven, cost, fleet, growth, measured, project, sensitivity, sizing
from tokenomics.core.scenario import PriceList, Scenario


@dataclass(frozen=True, slots=True)
class Plan:
    """Every answer; parts the scenario does not ask for are None.

    ``scenario`` has its measured month applied.  ``prices`` is None, and ``break_even`` empty,
    when no price list in the scenario's currency is there.
    """

    scenario: Scenario
    prices: PriceList | None
    measured: measured.Measured | None
    forward: cost.Forward
    sizing: sizing.Sizing | None
    break_even: tuple[breakeven.BreakEven, ...]
    project: project.Answer | None
    growth: growth.Growth | None
    fleet: fleet.Fleet | None
    sensitivity: sensitivity.Tornado


def plan(scenario: Scenario, *, prices: PriceList) -> Plan:
    """Return all answers to ``scenario``; ``prices`` is used unless it brings its own.

    Raises `tokenomics.core.fields.InvalidScenario` when it names a price that is not there.
    """
    chosen = breakeven.prices_for(scenario, prices)
    planned, replaced = measured.apply(scenario)
    return Plan(
        scenario=planned,
        prices=chosen,
        measured=replaced,
        forward=cost.forward(planned),
        sizing=sizing.size(planned, planned.sizing) if planned.sizing else None,
        break_even=breakeven.compare_all(planned, chosen) if chosen else (),
        project=project.weigh(planned, planned.project, chosen)
        if planned.project and chosen
        else None,
        growth=growth.grow(planned, planned.agents, chosen) if planned.agents and chosen else None,
        fleet=fleet.blend(planned, chosen) if planned.routes else None,
        sensitivity=sensitivity.tornado(planned),
    )
