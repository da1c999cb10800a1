"""Everything that reads what tokenomics keeps, one module per idea."""

from tokenomics.selectors.planning import (
    entered_prices,
    may_enter_prices,
    prices,
    scenarios_visible_to,
    teams_to_save_in,
)

__all__ = [
    "entered_prices",
    "may_enter_prices",
    "prices",
    "scenarios_visible_to",
    "teams_to_save_in",
]
