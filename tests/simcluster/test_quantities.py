"""`simcluster.objects.quantities`: exact amounts in the API server's spelling."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcluster.objects import quantities
from simcluster.objects.quantities import BINARY, DECIMAL, NotAQuantity

numbers = st.one_of(
    st.integers(0, 10**15).map(str), st.decimals(0, 10**6, places=3).map("{:f}".format)
)
spelled = st.builds("".join, st.tuples(numbers, st.sampled_from([*DECIMAL, *BINARY])))


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1500m", "1500m"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("1000", "1k"),
        ("1e3", "1k"),
        ("128974848", "128974848"),
        ("0Gi", "0"),
        (4, "4"),
        ("1.5Gi", "1536Mi"),
        ("100n", "100n"),
    ],
)
def test_the_api_servers_spelling(written: object, stored: str) -> None:
    assert quantities.canonical(written) == stored


@pytest.mark.parametrize("text", ["", "one", "1Kb", "1 Gi", "--1", "Gi", "1KiB", None])
def test_what_is_no_quantity(text: object) -> None:
    with pytest.raises(NotAQuantity):
        quantities.parse(text)


@given(spelled)
def test_a_spelling_is_stable(text: str) -> None:
    once = quantities.canonical(text)

    assert quantities.canonical(once) == once


@given(spelled)
def test_spelling_changes_no_amount_of_a_billionth_or_more(text: str) -> None:
    amount = quantities.parse(text).amount
    spelled_again = quantities.parse(quantities.canonical(text)).amount

    assert 0 <= spelled_again - amount < Fraction(1, 10**9)


@given(st.lists(spelled, max_size=5))
def test_a_sum_is_exact(texts: list[str]) -> None:
    parsed = [quantities.parse(text) for text in texts]

    assert quantities.total(parsed).amount == sum((q.amount for q in parsed), Fraction(0))
