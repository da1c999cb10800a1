"""`tokenomics.core.per_million`: no figure without its denominator, none without tokens."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tokenomics.core.per_million import (
    Denominator,
    Spent,
    Tokens,
    Worth,
    by_model,
    per_million,
)

MANY = Tokens(prompt_computed=6_000_000, prompt_cached=3_000_000, generated=1_000_000)
tokens = st.builds(Tokens, *[st.integers(0, 10**12)] * 3)


def test_each_denominator_has_its_figure() -> None:
    found = per_million([Spent(Fraction(6300), MANY)], digits=2)

    assert found.figures == {
        Denominator.TOTAL: Decimal("6.300000"),
        Denominator.PROCESSED: Decimal("9.000000"),
        # 1 + 6/3 + 3/30 million
        Denominator.WEIGHTED: Decimal("20.322581"),
    }


def test_without_tokens_there_is_no_figure() -> None:
    found = per_million([Spent(Fraction(6300), Tokens())], digits=2)

    assert set(found.figures.values()) == {None}
    assert found.covered_ratio == 0
    assert per_million([], digits=2).covered_ratio is None


def test_tokens_that_all_came_from_a_cache_have_no_processed_figure() -> None:
    found = per_million([Spent(Fraction(100), Tokens(prompt_cached=1_000_000))], digits=2)

    assert found.figures[Denominator.PROCESSED] is None
    assert found.figures[Denominator.TOTAL] == Decimal("1.000000")


def test_it_tells_which_part_of_the_cost_it_is_about() -> None:
    spent = [Spent(Fraction(300), MANY), Spent(Fraction(100), Tokens())]

    found = per_million(spent, digits=2)

    assert found.covered_ratio == Fraction(3, 4)
    assert found.figures[Denominator.TOTAL] == Decimal("0.300000")


def test_prompt_tokens_can_be_worth_something_else() -> None:
    worth = Worth(computed=Fraction(1), cached=Fraction(0))

    found = per_million([Spent(Fraction(700), MANY)], digits=0, worth=worth)

    assert found.figures[Denominator.WEIGHTED] == Decimal("100.000000")


@given(cost=st.integers(0, 10**9), models=st.dictionaries(st.text("ab"), tokens, max_size=4))
def test_a_bookings_cost_over_its_models_adds_up(cost: int, models: dict[str, Tokens]) -> None:
    found = by_model(cost, models)

    assert sum(each.cost_minor for each in found.values()) == (cost if models else 0)
    assert {name: each.tokens for name, each in found.items()} == models


def test_models_that_only_read_a_cache_share_evenly() -> None:
    cached = Tokens(prompt_cached=5)

    assert {each.cost_minor for each in by_model(9, {"a": cached, "b": cached}).values()} == {
        Fraction(9, 2)
    }
