"""What some lines of a month come to, together with the tokens that they paid for.  Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final

from tokenomics.core.lines import NS_PER_HOUR
from tokenomics.core.per_million import Denominator, Tokens, Worth

NO_TOKENS: Final = Tokens()
MILLION: Final = 1_000_000
_WORTH: Final = Worth()
_DIGITS: Final = Decimal("0.0001")


def rate(amount_minor: int, tokens: Tokens, by: Denominator) -> Decimal | None:
    """Return minor units per million tokens to four digits; None, "no tokens", where none count."""
    counted = tokens.by(by, _WORTH)
    return _rounded(amount_minor * MILLION / counted) if counted else None


def rates_by_kind(
    amount_minor: int, tokens: Tokens
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Return what a million computed, cached and generated tokens cost, split by their worth.

    Minor units to four digits; None where there are none of a kind.  The three, times their tokens,
    add up to the amount but for the rounding of each.
    """
    counted = tokens.by(Denominator.WEIGHTED, _WORTH)
    whole = amount_minor * MILLION / counted if counted else Fraction(0)
    return (
        _rounded(whole * _WORTH.computed) if tokens.prompt_computed else None,
        _rounded(whole * _WORTH.cached) if tokens.prompt_cached else None,
        _rounded(whole) if tokens.generated else None,
    )


def _rounded(number: Fraction) -> Decimal:
    exact = Decimal(number.numerator) / number.denominator
    return exact.quantize(_DIGITS, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Group:
    """What the lines of one group come to; what a group cannot have is None.

    ``covered_minor`` is the part of the amount that ``tokens`` cost; figures per million divide it.
    """

    key: str
    name: str
    used_minor: int | None = 0
    unused_minor: int | None = 0
    idle_minor: int | None = 0
    other_minor: int | None = 0
    total_minor: int = 0
    device_ms: int | None = 0
    gpu_ns: int | None = 0
    bookings: int | None = 0
    tokens: Tokens = NO_TOKENS
    covered_minor: int = 0

    def per_million(self, by: Denominator) -> Decimal | None:
        """Return minor units per million tokens, None without tokens."""
        return rate(self.covered_minor, self.tokens, by)

    @property
    def gpu_hours(self) -> Decimal | None:
        return None if self.gpu_ns is None else Decimal(self.gpu_ns) / NS_PER_HOUR

    @property
    def covered(self) -> Decimal | None:
        """The share of the amount that figures per million cover; None of nothing."""
        return Decimal(self.covered_minor) / self.total_minor if self.total_minor else None

    @property
    def used_share(self) -> Decimal | None:
        """The used share of what was booked; None where nothing was, or nobody can tell."""
        if self.used_minor is None or self.unused_minor is None:
            return None
        booked = self.used_minor + self.unused_minor
        return Decimal(self.used_minor) / booked if booked else None


@dataclass(frozen=True, slots=True)
class BookingTokens:
    """What one model of one booking processed in a month, and what of its cost it bears."""

    model: str
    tokens: Tokens
    amount_minor: int

    def per_million(self, by: Denominator) -> Decimal | None:
        """Return minor units per million tokens, None without tokens."""
        return rate(self.amount_minor, self.tokens, by)


def whole(groups: Iterable[Group]) -> Group:
    """Return everything in one group.  What a group cannot have, the whole cannot have either."""
    found = list(groups)

    def total(name: str) -> int | None:
        parts = [getattr(each, name) for each in found]
        return None if None in parts else sum(parts)

    counts = ("used_minor", "unused_minor", "idle_minor", "other_minor", "device_ms", "gpu_ns")
    return Group(
        key="",
        name="Total",
        **{name: total(name) for name in (*counts, "bookings")},
        total_minor=sum(each.total_minor for each in found),
        tokens=sum((each.tokens for each in found), NO_TOKENS),
        covered_minor=sum(each.covered_minor for each in found),
    )
