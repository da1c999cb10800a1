"""What a million tokens cost, each figure with its denominator; none where there are no tokens."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from tokenomics.core.allocation import half_up

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


@dataclass(frozen=True, slots=True)
class Spent:
    """A cost in minor units (a fraction where it is part of a booking's) and its tokens."""

    cost_minor: Fraction
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class PerMillion:
    """What a million tokens cost.

    ``cost_minor`` is of everything, ``covered_minor`` of what made tokens: only that is divided.
    ``figures`` are major units per million by denominator, None without tokens: it is neither
    nothing nor infinite.
    """

    cost_minor: Fraction
    covered_minor: Fraction
    tokens: Tokens
    figures: dict[Denominator, Decimal | None]

    @property
    def covered_ratio(self) -> Fraction | None:
        """The part of the cost that the figures are about, 0 to 1; None without cost."""
        return self.covered_minor / self.cost_minor if self.cost_minor else None


def per_million(spent: Iterable[Spent], *, digits: int, worth: Worth | None = None) -> PerMillion:
    """Return what a million tokens of ``spent`` cost; ``digits`` are those of the currency."""
    cost, covered, tokens = Fraction(0), Fraction(0), Tokens()
    for each in spent:
        cost += each.cost_minor
        tokens += each.tokens
        if each.tokens != Tokens():
            covered += each.cost_minor
    figures: dict[Denominator, Decimal | None] = {}
    for denominator in Denominator:
        by = tokens.by(denominator, worth or Worth())
        figures[denominator] = _figure(covered / by, digits) if by else None
    return PerMillion(cost, covered, tokens, figures)


def by_model(cost_minor: int, models: dict[str, Tokens]) -> dict[str, Spent]:
    """Return a booking's cost split over its models by the tokens that these processed.

    Where all came from a cache it is split evenly.  A view only: no money moves.
    """
    processed = sum(each.processed for each in models.values())
    even = Fraction(1, max(len(models), 1))
    return {
        name: Spent(cost_minor * (Fraction(each.processed, processed) if processed else even), each)
        for name, each in models.items()
    }


def _figure(minor_per_token: Fraction, digits: int) -> Decimal:
    exact = minor_per_token * _MILLION / 10**digits
    return Decimal(half_up(exact / Fraction(_PLACES))) * _PLACES
