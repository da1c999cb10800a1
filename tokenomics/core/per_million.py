"""Tokens as what a cost is divided by: each figure has its denominator."""

import enum
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

_MILLION: Final = 1_000_000
_PLACES: Final = Decimal("0.000001")


class Denominator(enum.StrEnum):
    """Which tokens a figure divides by."""

    TOTAL = "total"
    """Everything: computed and cached prompt tokens, and generated ones."""
    PROCESSED = "processed"
    """Without what came from a cache."""
    WEIGHTED = "weighted"
    """Generated ones in full, prompt tokens by what they are worth of one."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a prompt token is worth of a generated one.

    A third, as prices go; a cached one a tenth of that.
    """

    computed: Fraction = Fraction(1, 3)
    cached: Fraction = Fraction(1, 30)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens by figure; what no meter told counts as nothing."""

    prompt_computed: int = 0
    prompt_cached: int = 0
    generated: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.prompt_computed + other.prompt_computed,
            self.prompt_cached + other.prompt_cached,
            self.generated + other.generated,
        )

    @property
    def processed(self) -> int:
        return self.prompt_computed + self.generated

    def by(self, denominator: Denominator, worth: Worth) -> Fraction:
        """Return how many tokens a figure with that denominator divides by."""
        if denominator is Denominator.TOTAL:
            return Fraction(self.processed + self.prompt_cached)
        if denominator is Denominator.PROCESSED:
            return Fraction(self.processed)
        prompt = self.prompt_computed * worth.computed + self.prompt_cached * worth.cached
        return self.generated + prompt
