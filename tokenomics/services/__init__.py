"""Everything that changes what tokenomics keeps, one module per idea."""

from tokenomics.services.planning import (
    NotYourScenario,
    PricesNotYours,
    ScenarioNameTaken,
    StaleScenario,
    TooManyScenarios,
    change_scenario,
    enter_prices,
    remove_scenario,
    save_scenario,
)

__all__ = [
    "NotYourScenario",
    "PricesNotYours",
    "ScenarioNameTaken",
    "StaleScenario",
    "TooManyScenarios",
    "change_scenario",
    "enter_prices",
    "remove_scenario",
    "save_scenario",
]
