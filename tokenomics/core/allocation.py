"""Splitting an amount into whole cents that add up again (largest remainder, section 7)."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor, lcm


def split(total_cents: int, weights: Sequence[Decimal | int]) -> list[int]:
    """Return ``total_cents`` split by ``weights``, which are not negative and not all zero.

    Each part is rounded down, and the cents left over go to the largest remainders, of equal ones
    to the first.  The parts add up to the total exactly, negative totals too.  Raises ValueError
    when there is nothing to split by.
    """
    parts = _integers(weights)
    whole = sum(parts)
    if not whole or min(parts) < 0:
        raise ValueError("weights are not negative, and one at least is above zero")
    pairs = [divmod(total_cents * each, whole) for each in parts]
    cents = [pair[0] for pair in pairs]
    left = total_cents - sum(cents)
    by_remainder = sorted(range(len(parts)), key=lambda index: -pairs[index][1])
    for index in by_remainder[:left]:
        cents[index] += 1
    return cents


def half_up(amount: Fraction) -> int:
    """Return ``amount`` rounded to a whole number, a half upwards."""
    return floor(amount + Fraction(1, 2))


def _integers(weights: Sequence[Decimal | int]) -> list[int]:
    """Return weights in the same proportions."""
    if all(type(each) is int for each in weights):
        return [int(each) for each in weights]
    exact = [Fraction(each) for each in weights]
    by = lcm(*(each.denominator for each in exact))
    return [int(each * by) for each in exact]
