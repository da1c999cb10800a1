"""Kubernetes quantities as whole numbers in our units."""

import re
from decimal import Decimal
from typing import Final

# The grammar of Kubernetes' resource.Quantity, without a minus: nothing of ours is negative.
_FORM: Final = re.compile(
    r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)(?:([eE][+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)"
)
_FACTOR: Final = {
    "": Decimal(1),
    **{suffix: Decimal(1000) ** -power for power, suffix in enumerate("mun", start=1)},
    **{suffix: Decimal(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}


def parse(quantity: str) -> Decimal:
    """Return the number a Kubernetes quantity stands for.

    Raises:
        ValueError: it is not a quantity.
    """
    match = _FORM.fullmatch(str(quantity).strip())
    if match is None:
        msg = f"not a Kubernetes quantity: {quantity!r}"
        raise ValueError(msg)
    number, exponent, suffix = match.groups(default="")
    return Decimal(number + exponent) * _FACTOR[suffix]


def millicores(quantity: str) -> int:
    """Return CPU in thousandths of a core, rounded down."""
    return int(parse(quantity) * 1000)


def mebibytes(quantity: str) -> int:
    """Return bytes in MiB, rounded down."""
    return int(parse(quantity) / 1024**2)


def gibibytes(quantity: str) -> int:
    """Return bytes in GiB, rounded down."""
    return int(parse(quantity) / 1024**3)
