"""From which part of a budget on those who answer for it are told.  Pure."""

from typing import Final

PERCENT: Final = (50, 80, 100)


def threshold_reached(spent_minor: int, *, budget_minor: int) -> int:
    """Return the highest of `PERCENT` that is spoken for; 0: none.

    Of a budget of nothing, the first cent is all of it.
    """
    if spent_minor <= 0:
        return 0
    return max((each for each in PERCENT if spent_minor * 100 >= budget_minor * each), default=0)
