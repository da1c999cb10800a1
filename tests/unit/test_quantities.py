"""`gpuaas.inventory.quantities`: Kubernetes' grammar of numbers."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas.inventory import quantities


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("0", 0),
        ("127", 127),
        ("0.5", Decimal("0.5")),
        (".5", Decimal("0.5")),
        ("1.", 1),
        ("+1", 1),
        ("500m", Decimal("0.5")),
        ("1500000u", Decimal("1.5")),
        ("2n", Decimal("0.000000002")),
        ("3k", 3000),
        ("3M", 3 * 10**6),
        ("3G", 3 * 10**9),
        ("3T", 3 * 10**12),
        ("3P", 3 * 10**15),
        ("3E", 3 * 10**18),
        ("3Ki", 3 * 2**10),
        ("3Mi", 3 * 2**20),
        ("3Gi", 3 * 2**30),
        ("3Ti", 3 * 2**40),
        ("3Pi", 3 * 2**50),
        ("3Ei", 3 * 2**60),
        ("1e3", 1000),
        ("1E3", 1000),
        ("12e-1", Decimal("1.2")),
        (" 7 ", 7),
    ],
)
def test_a_quantity(quantity: str, number: int | Decimal) -> None:
    assert quantities.parse(quantity) == number


@pytest.mark.parametrize(
    "quantity",
    ["", "Gi", "1 Gi", "1gi", "1KB", "-1", "1,5", "0x10", "NaN", "1e", "\u0661", "1e99999999"],
)
def test_what_is_no_quantity(quantity: str) -> None:
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        quantities.parse(quantity)


def test_conversions_round_down() -> None:
    assert quantities.millicores("1.2345") == 1234
    assert quantities.mebibytes("1048575") == 0
    assert quantities.mebibytes("1025Ki") == 1
    assert quantities.gibibytes("1023Mi") == 0
    assert quantities.gibibytes("27900000000000") == 25983


@given(st.integers(0, 2**50))
def test_whole_mebibytes_survive(number: int) -> None:
    assert quantities.mebibytes(f"{number}Mi") == number
