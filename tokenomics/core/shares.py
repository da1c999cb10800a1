"""Who pays a pool's portions: bookings, and what nobody booked, cent by cent.

A portion that follows capacity is split by hours times weight, one that follows activity by what of
them worked; always by largest remainder, so that the parts add up to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tokenomics.core.allocation import half_up, split
from tokenomics.core.lines import NS_PER_HOUR, OF_BOOKINGS, LineKind
from tokenomics.core.portions import Portion

Amounts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """What takes capacity of a pool: a booking, or one device's idle time, and so on.

    ``gpu_ns`` is in nanoseconds of a whole GPU; ``active_ns`` is what of it worked, and what may
    have where nothing was measured.  ``is_planned`` tells an outage that costs nothing.
    """

    kind: LineKind
    gpu_ns: int
    active_ns: int = 0
    is_planned: bool = False

    @property
    def is_of_nobody(self) -> bool:
        return self.kind in {LineKind.IDLE, LineKind.STRANDED}


def shares(
    portions: Sequence[Portion], claims: Sequence[Claim], *, spread_idle: bool
) -> list[Amounts]:
    """Return each claim's amounts by category; together they are the portions.

    With ``spread_idle`` what nobody booked costs nothing as long as there are bookings to pay it.
    """
    by_capacity = _capacity_weights(claims, spread_idle=spread_idle)
    pairs = zip(claims, by_capacity, strict=True)
    by_activity = [claim.active_ns if weight else 0 for claim, weight in pairs]
    if not any(by_activity):
        by_activity = by_capacity
    found: list[Amounts] = [{} for _ in claims]
    for portion in portions:
        parts = split(portion.amount_minor - portion.by_activity_minor, by_capacity)
        if portion.by_activity_minor:
            above = split(portion.by_activity_minor, by_activity)
            parts = [one + other for one, other in zip(parts, above, strict=True)]
        for amounts, part in zip(found, parts, strict=True):
            amounts[portion.category] = part
    return found


def at_rate(
    portions: Sequence[Portion], claims: Sequence[Claim], *, minor_per_gpu_hour: Fraction
) -> tuple[list[Amounts], Amounts]:
    """Return what each claim pays at a standard rate, by category, and the variance that is left.

    Only bookings pay.  A booking's amount is rounded half up, and split over categories as they
    are in the portions.
    """
    weights = [portion.amount_minor for portion in portions]
    left = {portion.category: portion.amount_minor for portion in portions}
    found: list[Amounts] = []
    for claim in claims:
        pays = half_up(claim.gpu_ns * minor_per_gpu_hour / NS_PER_HOUR)
        if claim.kind not in OF_BOOKINGS or not any(weights):
            pays = 0
        parts = split(pays, weights) if pays else [0] * len(weights)
        found.append(dict(zip(left, parts, strict=True)))
        for category, part in zip(list(left), parts, strict=True):
            left[category] -= part
    return found, left


def used_and_unused(amounts: Mapping[str, int], active: int, seen: int) -> tuple[Amounts, Amounts]:
    """Return the amounts of a booking split into what worked and what did not."""
    used, unused = {}, {}
    for category, amount in amounts.items():
        # As `split` does it, for two: the cent that is left goes to the larger remainder.
        part, remainder = divmod(amount * active, seen)
        part += remainder > 0 and 2 * remainder >= seen
        used[category], unused[category] = part, amount - part
    return used, unused


def _capacity_weights(claims: Sequence[Claim], *, spread_idle: bool) -> list[int]:
    """Return the first of these that has somebody to pay: bookings, what is due, anything."""
    due = [0 if claim.is_planned else claim.gpu_ns for claim in claims]
    if spread_idle:
        booked = [
            0 if claim.is_of_nobody else weight for claim, weight in zip(claims, due, strict=True)
        ]
        if any(w for c, w in zip(claims, booked, strict=True) if c.kind in OF_BOOKINGS):
            return booked
    if any(due):
        return due
    hours = [claim.gpu_ns for claim in claims]
    return hours if any(hours) else [1] * len(claims)
