"""`tokenomics.core.per_million`: what a cost can be divided by."""

from fractions import Fraction

import pytest

from tokenomics.core.per_million import Denominator, Tokens, Worth

MANY = Tokens(prompt_computed=6, prompt_cached=3, generated=1)


@pytest.mark.parametrize(
    ("denominator", "tokens"),
    [
        (Denominator.TOTAL, 10),
        (Denominator.PROCESSED, 7),
        (Denominator.WEIGHTED, 1 + Fraction(6, 3) + Fraction(3, 30)),
    ],
)
def test_each_denominator_counts_its_tokens(denominator: Denominator, tokens: Fraction) -> None:
    assert MANY.by(denominator, Worth()) == tokens


def test_prompt_tokens_can_be_worth_something_else() -> None:
    worth = Worth(computed=Fraction(1), cached=Fraction(0))

    assert MANY.by(Denominator.WEIGHTED, worth) == 7


def test_tokens_add_up_figure_by_figure() -> None:
    assert Tokens(12, 6, 2) == MANY + MANY
