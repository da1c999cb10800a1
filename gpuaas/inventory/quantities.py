"""Kubernetes quantities as whole numbers in our units."""

import re
from decimal import Decimal
from typing import Final

_FORM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")
_FACTOR: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000**power) for power, suffix in enumerate("kMGTP", start=1)},
    **{f"{suffix}i": Decimal(1024**power) for power, suffix in enumerate("KMGTP", start=1)},
}


def parse(quantity: str) -> Decimal:
    """Return the number a Kubernetes quantity stands for.

    Raises:
        ValueError: it is not a quantity.
    """
    match = _FORM.fullmatch(quantity.strip())
    if match is None:
        msg = f"not a Kubernetes quantity: {quantity!r}"
        raise ValueError(msg)
    return Decimal(match[1]) * _FACTOR[match[2] or ""]


def millicores(quantity: str) -> int:
    """Return CPU in thousandths of a core, rounded down."""
    return int(parse(quantity) * 1000)


def mebibytes(quantity: str) -> int:
    """Return bytes in MiB, rounded down."""
    return int(parse(quantity) / 1024**2)


def gibibytes(quantity: str) -> int:
    """Return bytes in GiB, rounded down."""
    return int(parse(quantity) / 1024**3)
