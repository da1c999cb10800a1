"""What a million tokens cost: always with what is counted, and never without tokens."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.core.groups import MILLION, rate, rates_by_kind
from tokenomics.core.per_million import Denominator, Tokens

TOKENS = Tokens(prompt_computed=2_000_000, prompt_cached=4_000_000, generated=500_000)
some = st.builds(Tokens, *[st.integers(0, 10**12)] * 3)


@pytest.mark.parametrize(
    ("by", "cents"),
    [
        (Denominator.TOTAL, "200"),
        (Denominator.PROCESSED, "520"),
        (Denominator.WEIGHTED, "1000"),
    ],
)
def test_the_figure_depends_on_what_is_counted(by: Denominator, cents: str) -> None:
    assert rate(1300, TOKENS, by) == Decimal(cents)


@pytest.mark.parametrize("by", Denominator)
def test_no_tokens_have_no_figure(by: Denominator) -> None:
    assert rate(1300, Tokens(), by) is None


def test_only_cached_ones_have_no_figure_per_processed_token() -> None:
    assert rate(1300, Tokens(prompt_cached=5), Denominator.PROCESSED) is None
    assert rate(1300, Tokens(prompt_cached=5), Denominator.TOTAL) == 260_000_000


def test_a_kind_without_tokens_has_no_figure() -> None:
    assert rates_by_kind(1300, Tokens(generated=1_000_000)) == (None, None, Decimal(1300))
    assert rates_by_kind(1300, Tokens()) == (None, None, None)


@given(st.integers(-(10**12), 10**12), some)
def test_the_kinds_add_up_to_the_amount(amount: int, tokens: Tokens) -> None:
    prices = rates_by_kind(amount, tokens)
    counts = (tokens.prompt_computed, tokens.prompt_cached, tokens.generated)

    if any(counts):
        paid = sum(
            ((price or Decimal()) * count for price, count in zip(prices, counts, strict=True)),
            Decimal(),
        )
        assert abs(paid / MILLION - amount) <= Decimal("0.0002") * sum(counts) / MILLION + 1
