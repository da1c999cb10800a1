"""What rules are made of, and what they are asked about: plain data.

Limits come from two sources, a pool and a team, and each stands for itself: setting the team's
aside leaves the pool's in force, and no source can allow more than the product's own bounds.
"""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from fractions import Fraction
from typing import Final

from gpuaas.core import money
from reservations.capacity import Window
from reservations.policy import product
from reservations.policy.problems import Approver

_SECOND: Final = timedelta(seconds=1)
# Beyond that the product's bounds refuse anyway; rules that look at calendars stop here.
_LONGEST_LOOK: Final = timedelta(days=366)


class Source(enum.Enum):
    """Whose limits they are."""

    POOL = "pool"
    TEAM = "team"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily period by the pool's wall clock; over midnight where ``until`` is the earlier."""

    starts: time
    until: time

    def contain(self, at: time) -> bool:
        """Return whether the wall clock showing ``at`` means quiet."""
        if self.starts < self.until:
            return self.starts <= at < self.until
        return at >= self.starts or at < self.until


@dataclass(frozen=True, slots=True)
class Limits:
    """What one source narrows.  ``name`` is how sentences call it; None means no limit.

    ``budget_minor`` is for a calendar month, UTC; GPU-hours are for an ISO week in the pool's zone.
    """

    source: Source
    name: str
    shortest: timedelta | None = None
    longest: timedelta | None = None
    horizon: timedelta | None = None
    lead_time: timedelta | None = None
    cool_down: timedelta | None = None
    quiet: QuietHours | None = None
    concurrent_units: int | None = None
    gpu_hours_per_week: int | None = None
    budget_minor: int | None = None
    approval_above_units: int | None = None
    approval_above: timedelta | None = None
    approval_above_cost_minor: int | None = None

    @property
    def approver(self) -> Approver:
        """The least who may set one of them aside, budgets and approvals not meant."""
        return Approver.MANAGER if self.source is Source.TEAM else Approver.PLATFORM_ADMIN


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that a pool and a team say about a booking.

    ``allowed_pools`` names the pools that the team may book in; empty means every pool.
    """

    pool: Limits
    team: Limits
    zone: tzinfo = UTC
    allowed_pools: frozenset[str] = frozenset()
    managers_may_approve: bool = False

    @property
    def sources(self) -> tuple[Limits, Limits]:
        return (self.pool, self.team)

    @property
    def shortest(self) -> timedelta:
        """The shortest length that anybody would accept."""
        return max(product.SHORTEST, self.pool.shortest or product.SHORTEST)

    @property
    def look_at_usage(self) -> bool:
        """Whether some limit depends on what the team has booked besides."""
        return self.pool.cool_down is not None or any(
            limit is not None
            for limits in self.sources
            for limit in (limits.concurrent_units, limits.gpu_hours_per_week, limits.budget_minor)
        )

    @property
    def look_at_shares(self) -> bool:
        """Whether some limit counts GPU-hours, which weigh devices by their share of a GPU."""
        return any(limits.gpu_hours_per_week is not None for limits in self.sources)


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish, as far as limits are concerned.

    ``share`` is the part of a physical GPU that one unit is; ``price_minor`` is of a unit-hour.
    """

    window: Window
    units: int
    now: datetime
    share: Fraction = Fraction(1)
    price_minor: int = 0
    currency: str = ""

    @property
    def is_measurable(self) -> bool:
        """Whether its window and units are near enough to sense to be held against calendars."""
        return (
            self.units > 0
            and timedelta(0) < self.window.length <= _LONGEST_LOOK
            and abs(self.window.starts_at - self.now) <= _LONGEST_LOOK
        )

    @property
    def cost_minor(self) -> int:
        return self.cost_of(self.window)

    def cost_of(self, window: Window) -> int:
        """Return the price of the whole of ``window``, rounded once, half up."""
        if self.units <= 0 or window.length <= timedelta(0):
            return 0
        hour = timedelta(hours=1) // _SECOND
        return money.quotient(self.price_minor * self.units * (window.length // _SECOND), hour)


@dataclass(frozen=True, slots=True)
class Booked:
    """Another booking of the team: what it holds, or held, and what that costs.

    ``window`` ends where its capacity came back.  ``is_here`` tells the asked pool from others.
    """

    window: Window
    units: int
    is_here: bool = True
    share: Fraction = Fraction(1)
    cost_minor: int = 0


Usage = tuple[Booked, ...]


def held_cost(cost_minor: int, *, booked: Window, held: Window) -> int:
    """Return what holding ``held`` of a ``booked`` window costs, rounded half up."""
    if held == booked:
        return cost_minor
    return money.quotient(cost_minor * (held.length // _SECOND), booked.length // _SECOND)
