"""Numbers as people read them."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_CENT: Final = Decimal("0.01")
_SCALES: Final = (
    (Decimal(10) ** 12, "T"),
    (Decimal(10) ** 9, "bn"),
    (Decimal(10) ** 6, "M"),
)


def money(amount: Decimal, currency: str) -> str:
    """Return ``amount`` to the cent, such as ``USD 1,234.50``."""
    return f"{currency} {amount.quantize(_CENT, ROUND_HALF_UP):,f}"


def per_million(amount: Decimal, currency: str) -> str:
    """Return a price of a million tokens to four decimals: cents would be too coarse."""
    return f"{currency} {amount.quantize(Decimal('0.0001'), ROUND_HALF_UP):,f}"


def percent(ratio: Decimal) -> str:
    """Return ``ratio`` 0..1 as a percentage with one decimal."""
    return f"{(ratio * 100).quantize(Decimal('0.1'), ROUND_HALF_UP):,f} %"


def months(count: Decimal) -> str:
    """Return a number of months with one decimal."""
    return f"{count.quantize(Decimal('0.1'), ROUND_HALF_UP):,f} months"


def tokens(count: Decimal | int) -> str:
    """Return a number of tokens, such as ``59.89 bn tokens``."""
    amount = Decimal(count)
    for scale, name in _SCALES:
        if amount >= scale:
            return f"{(amount / scale).quantize(_CENT, ROUND_HALF_UP):,f} {name} tokens"
    return f"{amount.quantize(Decimal(1), ROUND_HALF_UP):,f} tokens"


def counted(count: int, noun: str) -> str:
    """Return ``1 GPU``, ``2 GPUs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
