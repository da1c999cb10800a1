"""`tokenomics.core.allocation`: cents that add up."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.planning.scenarios import worked
from tokenomics.core.allocation import split

weights = st.lists(st.decimals(0, 1000, places=3), min_size=1, max_size=12).filter(any)


@pytest.mark.parametrize("row", worked("rounding")["rows"], ids=lambda row: row["case"])
def test_published_allocations(row: dict[str, Any]) -> None:
    assert (
        split(row["total_cents"], [Decimal(w) for w in row["weights"]])
        == (row["largest_remainder"])
    )


def test_a_month_of_the_reference_server() -> None:
    month = worked("seed_hardware")["allocation"]
    hours = [Decimal(each) for each in month["hours"]]

    assert split(month["pool_cents"], hours) == month["cents"]
    assert split(month["pool_cents"], hours[:-1]) == month["policyB"]


@pytest.mark.parametrize(("index", "active"), [(0, 55), (1, 20), (2, 70), (3, 5)])
def test_used_and_unused(index: int, active: int) -> None:
    _, cents, used_and_unused = worked("seed_hardware")["allocation"]["used_unused"][index]

    assert split(cents, [Decimal(active), Decimal(100 - active)]) == used_and_unused


def test_prices_of_a_node_normalised_to_what_it_costs() -> None:
    example = worked("opencost_price_normalisation")
    base, published = example["inputs"]["base"], example["published"]

    found = split(example["inputs"]["node_month_usd"] * 100, [Decimal(base[n]) for n in published])

    assert found == [price * 100 for price in published.values()]


@given(total=st.integers(-(10**9), 10**9), weights=weights)
def test_parts_add_up_and_are_off_by_less_than_a_cent(total: int, weights: list[Decimal]) -> None:
    parts = split(total, weights)

    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) < 1 + Decimal("1e-9")


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [2, -1]])
def test_nothing_to_split_by(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        split(100, [Decimal(each) for each in weights])
