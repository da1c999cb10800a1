"""Everything that reads what tokenomics keeps, one module per idea."""

from tokenomics.selectors.activity import Activity, Tokens, activity_of
from tokenomics.selectors.planning import (
    entered_prices,
    may_enter_prices,
    prices,
    scenarios_visible_to,
    teams_to_save_in,
)
from tokenomics.selectors.usage import (
    Coverage,
    coverage_of,
    coverages_of,
    differences,
    entries_of,
    gpu_by_booking_and_hour,
    gpu_entries_of,
    made_tokens_since,
    usage_by_booking_and_hour,
    usage_by_day,
)

__all__ = [
    "Activity",
    "Coverage",
    "Tokens",
    "activity_of",
    "coverage_of",
    "coverages_of",
    "differences",
    "entered_prices",
    "entries_of",
    "gpu_by_booking_and_hour",
    "gpu_entries_of",
    "made_tokens_since",
    "may_enter_prices",
    "prices",
    "scenarios_visible_to",
    "teams_to_save_in",
    "usage_by_booking_and_hour",
    "usage_by_day",
]
