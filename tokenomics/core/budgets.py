"""How far a budget goes: what is spent, what is committed, and what it will come to."""

from dataclasses import dataclass
from fractions import Fraction

from tokenomics.core.allocation import half_up


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A cost centre's month in minor units: ``actual`` is for time that has passed.

    ``committed`` is booked for the time that is to come.  ``budget_minor`` None: there is no limit.
    ``passed`` is the part of the month that is over, 0 to 1.
    """

    cost_centre: str
    currency: str
    budget_minor: int | None
    blocks: bool
    actual_minor: int
    committed_minor: int
    passed: Fraction

    @property
    def spent_minor(self) -> int:
        """Actual and committed together: what of the budget is spoken for."""
        return self.actual_minor + self.committed_minor

    @property
    def left_minor(self) -> int | None:
        return None if self.budget_minor is None else self.budget_minor - self.spent_minor

    @property
    def forecast_minor(self) -> int:
        """What the month comes to: as booked, or as it went so far, whichever is more."""
        if not self.passed:
            return self.spent_minor
        to_come = self.actual_minor * (1 - self.passed) / self.passed
        return self.actual_minor + max(self.committed_minor, half_up(to_come))
