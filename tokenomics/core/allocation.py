"""Splitting an amount into whole cents that add up again (largest remainder, section 7)."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor


def split(total_cents: int, weights: Sequence[Decimal]) -> list[int]:
    """Return ``total_cents`` split by ``weights``, which are not negative and not all zero.

    Each part is rounded down, and the cents left over go to the largest remainders, of equal ones
    to the first.  The parts add up to the total exactly, negative totals too.  Raises ValueError
    when there is nothing to split by.
    """
    parts = [Fraction(each) for each in weights]
    whole = sum(parts)
    if not whole or min(parts) < 0:
        raise ValueError("weights are not negative, and one at least is above zero")
    exact = [total_cents * each / whole for each in parts]
    cents = [floor(each) for each in exact]
    by_remainder = sorted(range(len(parts)), key=lambda index: cents[index] - exact[index])
    for index in by_remainder[: total_cents - sum(cents)]:
        cents[index] += 1
    return cents
