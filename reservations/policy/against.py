"""All rules of a pool and a team over one wish: every reason against, at once."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from reservations.capacity import Window
from reservations.policy import amounts, costs, periods, windows
from reservations.policy.limits import Ask, Limits, Rules, Source, Usage
from reservations.policy.problems import Problem


def problems_against(ask: Ask, *, rules: Rules, usage: Usage, pool: str) -> tuple[Problem, ...]:
    """Return every reason that ``rules`` give against ``ask`` in ``pool``; empty means none.

    ``usage`` is what else the team has booked, from `usage_from` on.  What is too absurd to be
    measured is held against lengths alone: the product's own bounds refuse it.
    """
    found = [*_pool_not_allowed(rules, pool)]
    for limits in rules.sources:
        found += [
            *windows.shortest(limits, ask),
            *windows.longest(limits, ask),
        ]
    if ask.is_measurable:
        found += _measured(ask, rules, usage)
    return tuple(found)


def problems_with_centre(
    ask: Ask, *, name: str, budget_minor: int, usage: Usage, shortest: timedelta
) -> tuple[Problem, ...]:
    """Return what the budget of a cost centre says; ``usage`` is of all its teams."""
    limits = Limits(Source.TEAM, f"cost centre {name}", budget_minor=budget_minor)
    return tuple(costs.budget(limits, ask, usage, shortest=shortest))


def usage_from(rules: Rules, window: Window) -> datetime:
    """Return the instant from which bookings matter to ``rules`` over a wish for ``window``."""
    starts = [window.starts_at - (rules.pool.cool_down or timedelta(0))]
    if rules.look_at_shares:
        starts.append(next(periods.weeks_of(window, zone=rules.zone)).starts_at)
    if rules.team.budget_minor is not None:
        starts.append(periods.month_of(window.starts_at).starts_at)
    return min(starts)


def _pool_not_allowed(rules: Rules, pool: str) -> Iterator[Problem]:
    if rules.allowed_pools and pool not in rules.allowed_pools:
        yield Problem(
            "pool_not_allowed",
            "pool",
            f"{rules.team.name} may not book in {pool}: it may in "
            f"{', '.join(sorted(rules.allowed_pools))}",
        )


def _measured(ask: Ask, rules: Rules, usage: Usage) -> Iterator[Problem]:
    shortest = rules.shortest
    yield from windows.lead_time(rules.pool, ask)
    yield from windows.quiet_hours(rules.pool, ask, rules.zone)
    yield from windows.cool_down(rules.pool, ask, usage)
    for limits in rules.sources:
        yield from windows.horizon(limits, ask)
        yield from amounts.concurrent_units(limits, ask, usage)
        yield from amounts.gpu_hours(limits, ask, usage, zone=rules.zone, shortest=shortest)
        approver = costs.approver_of(limits, managers_may_approve=rules.managers_may_approve)
        yield from costs.approval_for_units(limits, ask, approver)
        yield from costs.approval_for_length(limits, ask, approver, shortest=shortest)
        yield from costs.approval_for_cost(limits, ask, approver, shortest=shortest)
    yield from costs.budget(rules.team, ask, usage, shortest=shortest)
