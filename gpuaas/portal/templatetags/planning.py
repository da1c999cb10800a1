"""``{% load planning %}``: money, tokens and ratios in templates."""

from decimal import Decimal
from typing import Final

from django import template
from django.utils.translation import gettext

from gpuaas.core.sentences import in_language
from gpuaas.portal.wording import in_digits
from tokenomics.core import wording

register = template.Library()

NOTHING: Final = "\u2013"


@register.filter
def money(amount: Decimal | str, currency: str) -> str:
    """Show an amount to the cent."""
    return in_digits(wording.money(Decimal(amount), currency))


@register.filter
def sentence(text: str) -> str:
    """Say a verdict of the planning in the reader's language, with numbers as they write them."""
    return in_digits(in_language(text))


@register.filter
def named(name: str) -> str:
    """Say what the cost model calls a part, at the head of a row; its own words stay."""
    head = name[:1].upper() + name[1:]
    said = in_language(name)
    return gettext(head) if said == name else said[:1].upper() + said[1:]


@register.filter
def unit_price(amount: Decimal | None, currency: str) -> str:
    """Show the price of a million tokens to four decimals."""
    return NOTHING if amount is None else in_digits(wording.per_million(amount, currency))


@register.filter
def percent(ratio: Decimal | None) -> str:
    """Show a ratio as a percentage."""
    return NOTHING if ratio is None else in_digits(wording.percent(ratio))


@register.filter
def months(count: Decimal | None) -> str:
    """Show a number of months; none stands for never."""
    return gettext("never") if count is None else in_language(in_digits(wording.months(count)))


@register.filter
def tokens(count: Decimal | int | None) -> str:
    """Show a number of tokens, in billions where there are so many."""
    return NOTHING if count is None else in_digits(wording.tokens(count))
