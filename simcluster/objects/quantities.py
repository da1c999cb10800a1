"""Resource quantities: ``500m``, ``64Gi``, ``1e3``; exact, and in the API server's own spelling."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

DECIMAL: Final = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
}
BINARY: Final = {
    f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)
}
_PATTERN: Final = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]+))?"
)


class NotAQuantity(ValueError):
    """The text is no quantity."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact amount that remembers whether it was written with binary suffixes."""

    amount: Fraction
    is_binary: bool = False

    def __add__(self, other: "Quantity") -> "Quantity":
        is_binary = self.is_binary if self.amount else other.is_binary
        return Quantity(self.amount + other.amount, is_binary)

    def __str__(self) -> str:
        """Return the canonical spelling: the largest suffix that needs no fraction."""
        if not self.amount:
            return "0"
        if self.is_binary and self.amount.denominator == 1:
            return _spelled(self.amount, {"": Fraction(1), **BINARY})
        # Finer than a billionth is rounded up, as the API server does.
        billionths = -(-self.amount.numerator * 10**9 // self.amount.denominator)
        return _spelled(Fraction(billionths, 10**9), DECIMAL)


ZERO: Final = Quantity(Fraction(0))


def parse(text: object) -> Quantity:
    """Return the quantity that ``text`` (or a plain number) spells, or raise `NotAQuantity`."""
    found = _PATTERN.fullmatch(str(text).strip())
    if found is None:
        raise NotAQuantity(
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    number, suffix, exponent = found.groups()
    amount = Fraction(number)
    if exponent is not None:
        return Quantity(amount * Fraction(10) ** int(exponent))
    if suffix in BINARY:
        return Quantity(amount * BINARY[suffix], is_binary=True)
    return Quantity(amount * DECIMAL[suffix or ""])


def canonical(text: object) -> str:
    """Return the spelling under which the API server stores a quantity."""
    return str(parse(text))


def total(quantities: "list[Quantity]") -> Quantity:
    """Return the sum, written like its first term that is not zero."""
    return sum(quantities, ZERO)


def _spelled(amount: Fraction, suffixes: dict[str, Fraction]) -> str:
    whole = [
        (unit, suffix) for suffix, unit in suffixes.items() if (amount / unit).denominator == 1
    ]
    unit, suffix = max(whole)
    return f"{amount / unit}{suffix}"
