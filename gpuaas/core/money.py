"""Money as whole minor units (cents) of one currency: rounding, splitting, saying.  Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# ISO 4217: how many minor units make a major one, as a power of ten.  All others have two digits.
_DIGITS: Final = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of ``minor`` units of ``currency``."""

    minor: int
    currency: str

    def __str__(self) -> str:
        digits = digits_of(self.currency)
        major, rest = divmod(abs(self.minor), 10**digits)
        sign = "-" if self.minor < 0 else ""
        decimals = f".{rest:0{digits}d}" if digits else ""
        return f"{sign}{major:,}{decimals} {self.currency}"


def digits_of(currency: str) -> int:
    """Return how many decimal digits amounts of ``currency`` are written with."""
    return _DIGITS.get(currency, 2)


def quotient(dividend: int, divisor: int) -> int:
    """Return ``dividend / divisor`` rounded once, half up.  Both are not negative."""
    return (2 * dividend + divisor) // (2 * divisor)


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Split ``amount`` by ``weights``, largest remainder: the parts add up to it exactly.

    Equal remainders go to the earlier part.  The weights are not negative, and not all zero.
    """
    total = sum(weights)
    parts = [amount * weight // total for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda index: (-(amount * weights[index] % total), index)
    )
    for index in by_remainder[: amount - sum(parts)]:
        parts[index] += 1
    return parts
