"""What a million tokens cost, always with what is counted as a token.  Pure.

Money is whole minor units, tokens are whole numbers; a figure is in minor units per million.
"""

import enum
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

MILLION: Final = 1_000_000
_DIGITS: Final = Decimal("0.0001")


class Denominator(enum.StrEnum):
    """What is counted as a token."""

    TOTAL = "total"
    """Computed, cached and generated ones alike."""
    PROCESSED = "processed"
    """Computed and generated ones."""
    WEIGHTED = "weighted"
    """Generated ones, and the others by what they cost beside them: `Weights`."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What a prompt token takes beside a generated one.

    The defaults are what providers' prices come to: a computed prompt token costs a quarter of a
    generated one, a cached one a tenth of that.
    """

    computed: Decimal = Decimal("0.25")
    cached: Decimal = Decimal("0.025")


WEIGHTS: Final = Weights()


@dataclass(frozen=True, slots=True)
class Tokens:
    """How many tokens of each kind."""

    computed: int = 0
    cached: int = 0
    generated: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.computed + other.computed,
            self.cached + other.cached,
            self.generated + other.generated,
        )

    @property
    def total(self) -> int:
        return self.computed + self.cached + self.generated

    @property
    def processed(self) -> int:
        return self.computed + self.generated

    def counted(self, by: Denominator, weights: Weights = WEIGHTS) -> Decimal:
        """Return how many tokens there are by that count."""
        if by is Denominator.TOTAL:
            return Decimal(self.total)
        if by is Denominator.PROCESSED:
            return Decimal(self.processed)
        return self.generated + self.computed * weights.computed + self.cached * weights.cached


def per_million(
    amount_minor: int, tokens: Tokens, by: Denominator, weights: Weights = WEIGHTS
) -> Decimal | None:
    """Return minor units per million tokens to four digits; None, "no tokens", where none count."""
    counted = tokens.counted(by, weights)
    if not counted:
        return None
    return (amount_minor * MILLION / counted).quantize(_DIGITS, ROUND_HALF_UP)


def per_million_of_kind(
    amount_minor: int, tokens: Tokens, weights: Weights = WEIGHTS
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Return what a million computed, cached and generated tokens cost, split by their weights.

    None where there are none of a kind.  The three, times their tokens, add up to the amount but
    for the rounding of each.
    """
    whole = per_million(amount_minor, tokens, Denominator.WEIGHTED, weights)
    if whole is None:
        return None, None, None

    def of(count: int, weight: Decimal) -> Decimal | None:
        return (whole * weight).quantize(_DIGITS, ROUND_HALF_UP) if count else None

    return (
        of(tokens.computed, weights.computed),
        of(tokens.cached, weights.cached),
        of(tokens.generated, Decimal(1)),
    )
