"""What may be booked: rules that give every reason against at once.  Pure.

Three sources, each for itself: the product's own bounds, a pool's rules, a team's limits.
docs/design/policies.md lists them all.
"""

from reservations.policy.against import problems_against, problems_with_centre, usage_from
from reservations.policy.amounts import hours_in
from reservations.policy.costs import actual_in, spent_in
from reservations.policy.limits import (
    Ask,
    Booked,
    Limits,
    QuietHours,
    Rules,
    Source,
    Usage,
    held_cost,
)
from reservations.policy.periods import month_of, months_of, weeks_of
from reservations.policy.problems import Approver, Problem, say_length, standing
from reservations.policy.product import (
    HORIZON,
    LEAST,
    LONGEST,
    SHORTEST,
    UNIT_OF,
    problems_with,
    problems_with_demand,
    problems_with_size,
)
from reservations.policy.settings import problems_with_values
from reservations.policy.thresholds import threshold_reached

__all__ = [
    "HORIZON",
    "LEAST",
    "LONGEST",
    "SHORTEST",
    "UNIT_OF",
    "Approver",
    "Ask",
    "Booked",
    "Limits",
    "Problem",
    "QuietHours",
    "Rules",
    "Source",
    "Usage",
    "actual_in",
    "held_cost",
    "hours_in",
    "month_of",
    "months_of",
    "problems_against",
    "problems_with",
    "problems_with_centre",
    "problems_with_demand",
    "problems_with_size",
    "problems_with_values",
    "say_length",
    "spent_in",
    "standing",
    "threshold_reached",
    "usage_from",
    "weeks_of",
]
