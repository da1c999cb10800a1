"""What a wish would cost, what it leaves of budgets, and when there is room for it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gpuaas.accounts.models import Team
from gpuaas.inventory.models import Pool
from reservations import policy
from reservations.capacity import Window
from reservations.services import chances, rules
from reservations.services.wishes import Wish

WINDOWS: Final = 4
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Purse:
    """A budget of the month in which a wish starts, in minor units.

    ``name`` is the cost centre's, empty for the team's own.  ``spent_minor`` is what is booked
    already, ``asked_minor`` what of the wish falls into that month.
    """

    name: str
    budget_minor: int
    spent_minor: int
    asked_minor: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a wish would cost, in minor units; ``price_minor`` is of one unit for an hour.

    ``windows`` are the first in which it can be booked, and ``problems`` what speaks against it
    as it is.  There is no promise in it: booking looks again.
    """

    cost_minor: int
    price_minor: int
    currency: str
    month: Window
    purses: tuple[Purse, ...]
    problems: tuple[policy.Problem, ...]
    windows: tuple[chances.Chance, ...]


def estimate(
    *, pool: Pool, team: Team, wish: Wish, since: datetime, until: datetime, now: datetime
) -> Estimate:
    """Return what ``wish`` would cost, and the first windows between ``since`` and ``until``.

    Windows are as long as the wish, in whole minutes: what starts right now has lost some seconds.
    """
    grounds = rules.grounds_for(pool=pool, team=team, wish=wish, since=since, now=now)
    asked = rules.judge(grounds, pool=pool, team=team, wish=wish, now=now)
    length = -(-wish.window.length // _MINUTE) * _MINUTE
    from_since = replace(wish, window=Window(since, since + length))
    return Estimate(
        cost_minor=asked.terms.cost_minor,
        price_minor=grounds.of.price_minor,
        currency=grounds.of.currency,
        month=policy.month_of(wish.window.starts_at),
        purses=_purses(grounds, wish, asked.terms.cost_minor),
        problems=asked.problems,
        windows=tuple(
            chances.free_windows(
                pool=pool,
                team=team,
                wish=from_since,
                until=until,
                now=now,
                at_most=WINDOWS,
                grounds=grounds,
            )
        ),
    )


def _purses(grounds: rules.Grounds, wish: Wish, cost_minor: int) -> tuple[Purse, ...]:
    month = policy.month_of(wish.window.starts_at)
    this = policy.Booked(wish.window, wish.units, cost_minor=cost_minor)
    asked = policy.spent_in(month, (this,))
    of_team, centre = grounds.of.rules.team.budget_minor, grounds.centre
    found = []
    if of_team is not None:
        found.append(Purse("", of_team, policy.spent_in(month, grounds.usage), asked))
    if centre:
        spent = policy.spent_in(month, grounds.centre_usage)
        found.append(Purse(centre.name, centre.budget_minor, spent, asked))
    return tuple(found)
