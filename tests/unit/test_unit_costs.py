"""What a million tokens cost: always with what is counted, and never without tokens."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.core.unit_costs import (
    MILLION,
    Denominator,
    Tokens,
    Weights,
    per_million,
    per_million_of_kind,
)

TOKENS = Tokens(computed=2_000_000, cached=4_000_000, generated=500_000)
some = st.builds(Tokens, *[st.integers(0, 10**12)] * 3)


@pytest.mark.parametrize(
    ("by", "cents"),
    [
        (Denominator.TOTAL, "200"),
        (Denominator.PROCESSED, "520"),
        (Denominator.WEIGHTED, "1181.8182"),
    ],
)
def test_the_figure_depends_on_what_is_counted(by: Denominator, cents: str) -> None:
    assert per_million(1300, TOKENS, by) == Decimal(cents)


@pytest.mark.parametrize("by", Denominator)
def test_no_tokens_have_no_figure(by: Denominator) -> None:
    assert per_million(1300, Tokens(), by) is None


def test_only_cached_ones_have_no_figure_per_processed_token() -> None:
    assert per_million(1300, Tokens(cached=5), Denominator.PROCESSED) is None
    assert per_million(1300, Tokens(cached=5), Denominator.TOTAL) == 260_000_000


def test_a_kind_without_tokens_has_no_figure() -> None:
    assert per_million_of_kind(1300, Tokens(generated=1_000_000)) == (None, None, Decimal(1300))
    assert per_million_of_kind(1300, Tokens()) == (None, None, None)


def test_weights_can_be_others() -> None:
    alike = Weights(Decimal(1), Decimal(1))

    assert per_million_of_kind(1300, TOKENS, alike) == (Decimal(200),) * 3


@given(st.integers(-(10**12), 10**12), some)
def test_the_kinds_add_up_to_the_amount(amount: int, tokens: Tokens) -> None:
    prices = per_million_of_kind(amount, tokens)
    counts = (tokens.computed, tokens.cached, tokens.generated)

    if any(counts):
        paid = sum(
            ((price or Decimal()) * count for price, count in zip(prices, counts, strict=True)),
            Decimal(),
        )
        assert abs(paid / MILLION - amount) <= Decimal("0.0002") * tokens.total / MILLION + 1
