"""Every way in which a booking is refused."""

from collections.abc import Sequence

from gpuaas.core import errors
from reservations import policy
from reservations.answers import Alternative
from reservations.capacity import Demand, Window
from reservations.services.wishes import Wish


class WishRefused(errors.DomainError):
    """Rules speak against it, however empty the pool is; ``problems`` has every reason."""

    code = "wish_refused"

    def __init__(self, problems: Sequence[policy.Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


class NotYourTeam(errors.DomainError):
    """The person may not book for that team."""

    code = "not_your_team"


class PoolFull(errors.DomainError):
    """No node of the pool has enough left at some instant of the window.

    ``nearest`` is the first window of the same length, from the wanted start on, that has room at
    the moment; None when there is none within 14 days.  ``free_windows`` are the first ones of at
    least that length, ``alternatives`` do the work on other types or are less, now.
    """

    code = "pool_full"

    def __init__(
        self,
        *,
        wish: Wish,
        free: Demand,
        nearest: Window | None,
        free_windows: Sequence[Window] = (),
        alternatives: Sequence[Alternative] = (),
    ) -> None:
        super().__init__(f"{_shortage(wish.demand, free)}; {_offer(nearest)}")
        self.wish = wish
        self.free = free
        self.nearest = nearest
        self.free_windows = tuple(free_windows)
        self.alternatives = tuple(alternatives)


class StaleReservation(errors.DomainError):
    """Somebody moved the reservation between our read and our write."""

    code = "stale"


def _shortage(demand: Demand, free: Demand) -> str:
    names = {"devices": "devices", **policy.UNIT_OF}
    short = [
        f"{getattr(demand, q)} {name} requested, {getattr(free, q)} free on one node"
        for q, name in names.items()
        if getattr(demand, q) > getattr(free, q)
    ]
    return ", ".join(short) or "no node has all of it free at once"


def _offer(nearest: Window | None) -> str:
    if nearest is None:
        return "no window of this length has room within 14 days"
    return f"the first window that fits starts at {nearest.starts_at:%Y-%m-%d %H:%M} UTC"
