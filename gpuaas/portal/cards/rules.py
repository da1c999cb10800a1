"""The rules and prices of a pool in words.  Pure: rows in, finished text out."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from gpuaas.core.money import Money
from gpuaas.portal.cards.limits import approval_words, minutes
from gpuaas.portal.cards.teams import name_of
from gpuaas.portal.wording import duration, plural
from reservations import policy

if TYPE_CHECKING:
    from reservations.models import PoolRules, UnitPrice


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule: ``is_set`` where the pool says so, else it is the product's own bound."""

    name: str
    words: str
    is_set: bool


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One price of one type; ``when`` is "now", "coming" or "past"."""

    resource_name: str
    price: str
    valid_from: datetime
    set_by: str
    when: str


def rule_lines(rules: "PoolRules", *, currency: str) -> tuple[RuleLine, ...]:
    """Return everything that binds a booking in the pool, set here or not."""
    return tuple(_lines(rules, currency))


def _lines(rules: "PoolRules", currency: str) -> Iterator[RuleLine]:
    yield _length(gettext("Shortest booking"), rules.shortest_minutes, duration(policy.SHORTEST))
    yield _length(gettext("Longest booking"), rules.longest_minutes, duration(policy.LONGEST))
    days = rules.horizon_days
    ahead = policy.HORIZON // timedelta(days=1) if days is None else days
    yield RuleLine(gettext("Opens"), f"{plural(ahead, 'day')} ahead", days is not None)
    yield _length(
        gettext("Lead time"), rules.lead_time_minutes, gettext("none: book and start at once")
    )
    yield _length(gettext("Pause between a team's bookings"), rules.cool_down_minutes, "none")
    yield _count(gettext("A team's units at once"), rules.concurrent_units, "unit")
    yield _count(
        gettext("A team's GPU-hours a week"), rules.gpu_hours_per_week, gettext("GPU-hour")
    )
    if rules.quiet_from is None or rules.quiet_until is None:
        yield RuleLine(gettext("Quiet hours"), "none", is_set=False)
    else:
        hours = gettext("from {quiet_from} until {quiet_until}").format(
            quiet_from=f"{rules.quiet_from:%H:%M}", quiet_until=f"{rules.quiet_until:%H:%M}"
        )
        yield RuleLine(
            gettext("Quiet hours"),
            gettext("nothing starts {hours}, {time_zone}").format(
                hours=hours, time_zone=rules.time_zone
            ),
            is_set=True,
        )
    yield _length(
        gettext("Given back if nobody comes for"), rules.no_show_minutes, gettext("never for that")
    )
    yield _length(gettext("Warned if nothing works for"), rules.idle_minutes, "never")
    yield _length(gettext("Paused if nothing works for"), rules.idle_pause_minutes, "never")
    yield _length(
        gettext("Given back if nothing works for"),
        rules.idle_release_minutes,
        gettext("never for that"),
    )
    above = approval_words(
        rules.approval_above_units,
        rules.approval_above_minutes,
        rules.approval_above_cost_minor,
        currency,
    )
    by = (
        gettext("a team's manager")
        if rules.managers_may_approve
        else gettext("a platform administrator")
    )
    yield RuleLine(
        gettext("Needs approval"),
        gettext("{above}; by {by}").format(above=above, by=by) if above else "nothing",
        bool(above),
    )


def _length(name: str, number: int | None, otherwise: str) -> RuleLine:
    is_set = number is not None
    return RuleLine(name, otherwise if number is None else minutes(number), is_set)


def _count(name: str, number: int | None, one: str) -> RuleLine:
    words = gettext("no limit") if number is None else plural(number, one)
    return RuleLine(name, words, number is not None)


def price_line(price: "UnitPrice", *, current: Collection[int], now: datetime) -> PriceLine:
    """Return ``price`` in words; ``current`` are the ids of those that stand."""
    when = "coming" if price.valid_from > now else "now" if price.pk in current else "past"
    return PriceLine(
        resource_name=price.resource_name,
        price=str(Money(price.minor_units_per_unit_hour, price.currency)),
        valid_from=price.valid_from,
        set_by=name_of(price.set_by),
        when=when,
    )
