"""Every way in which a booking is refused."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from gpuaas.core import errors
from reservations import policy
from reservations.answers import Alternative, Bound
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


class CannotExtend(errors.DomainError):
    """The booking cannot end as late as that.

    ``until`` is the latest end it can have; its present end, ``ends_at``, where that is none later.
    ``afterwards`` is the first window in which the rest could be booked anew, if there is one.
    """

    code = "cannot_extend"

    def __init__(
        self,
        *,
        ends_at: datetime,
        until: datetime,
        because: Bound,
        afterwards: Window | None = None,
    ) -> None:
        super().__init__(_how_long(ends_at, until, because, afterwards))
        self.ends_at = ends_at
        self.until = until
        self.because = because
        self.afterwards = afterwards


class CannotChange(errors.DomainError):
    """The reservation is over, has started or is not booked yet: it says which."""

    code = "cannot_change"


class StaleReservation(errors.DomainError):
    """Somebody moved the reservation between our read and our write."""

    code = "stale"


BOUND_IN_WORDS: Final = {
    Bound.LONGEST: "that is the longest booking there is",
    Bound.BOOKED: "from then on others have booked what it needs",
    Bound.CLOSED: "from then on its server is closed",
    Bound.OUT_OF_SERVICE: "its server, or a device of it, is out of service",
    Bound.OVER: "it is over",
    Bound.NOT_APPROVED: "it is not approved yet",
    Bound.RULES: "a limit or the budget of the team, or of the pool, allows no more",
}


def bound_in_words(bound: Bound) -> str:
    """Return why a booking cannot end later, as the second half of a sentence."""
    return BOUND_IN_WORDS[bound]


def _how_long(ends_at: datetime, until: datetime, because: Bound, afterwards: Window | None) -> str:
    why = BOUND_IN_WORDS[because]
    if until <= ends_at:
        said = f"it cannot end later than {ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {why}"
    else:
        said = f"you can have it until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {why}"
    if afterwards is None:
        return said
    again = f"{afterwards.starts_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{said}; the rest can be booked anew from {again}"


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
