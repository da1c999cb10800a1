"""`reservations.policy`: the rules of pools and teams, each at and beyond its number."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas.core import money
from reservations import policy
from reservations.capacity import Window
from reservations.policy import Approver, Ask, Booked, Limits, QuietHours, Rules, Source
from tests import make

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
POOL = Limits(Source.POOL, "Lab")
TEAM = Limits(Source.TEAM, "Vision")


def rules(*, pool: dict[str, Any] | None = None, team: dict[str, Any] | None = None) -> Rules:
    return Rules(pool=replace(POOL, **(pool or {})), team=replace(TEAM, **(team or {})))


def ask(first: float = 1, last: float = 5, *, units: int = 1, price: int = 100) -> Ask:
    return Ask(make.window(first, last), units, make.NOON, price_minor=price, currency="EUR")


def against(wish: Ask, of: Rules, *usage: Booked) -> tuple[policy.Problem, ...]:
    return policy.problems_against(wish, rules=of, usage=usage, pool="Lab")


OTHER = Booked(make.window(1, 5), units=2, cost_minor=500)

# Every rule: who sets what, a wish on the number, one beyond it, its code, who may override.
RULES = [
    ("pool", {"shortest": 4 * HOUR}, ask(1, 5), ask(1, 4.9), "window_too_short", 2),
    ("pool", {"longest": 4 * HOUR}, ask(1, 5), ask(1, 5.1), "window_too_long", 2),
    ("team", {"longest": 4 * HOUR}, ask(1, 5), ask(1, 5.1), "window_too_long", 1),
    ("pool", {"horizon": 2 * HOUR}, ask(2, 5), ask(2.1, 5), "beyond_the_horizon", 2),
    ("team", {"horizon": 2 * HOUR}, ask(2, 5), ask(2.1, 5), "beyond_the_horizon", 1),
    ("pool", {"lead_time": 2 * HOUR}, ask(2, 5), ask(1.9, 5), "lead_time_too_short", 2),
    ("pool", {"cool_down": HOUR}, ask(6, 7), ask(5.9, 7), "cool_down", 2),
    ("pool", {"quiet": QuietHours(time(13), time(14))}, ask(2), ask(1), "quiet_hours", 2),
    ("pool", {"concurrent_units": 3}, ask(), ask(units=2), "too_many_units_at_once", 2),
    ("team", {"concurrent_units": 3}, ask(), ask(units=2), "too_many_units_at_once", 1),
    ("pool", {"gpu_hours_per_week": 12}, ask(1, 5), ask(1, 5.1), "gpu_hours_per_week", 2),
    ("team", {"gpu_hours_per_week": 12}, ask(1, 5), ask(1, 5.1), "gpu_hours_per_week", 1),
    ("team", {"budget_minor": 900}, ask(1, 5), ask(1, 5.1), "budget_exceeded", 2),
    ("pool", {"approval_above_units": 2}, ask(units=2), ask(units=3), "approval_needed", 2),
    ("team", {"approval_above_units": 2}, ask(units=2), ask(units=3), "approval_needed", 1),
    ("team", {"approval_above": 4 * HOUR}, ask(1, 5), ask(1, 5.1), "approval_needed", 1),
    ("pool", {"approval_above_cost_minor": 400}, ask(1, 5), ask(1, 5.1), "approval_needed", 2),
]


@pytest.mark.parametrize(("source", "limit", "passes", "fails", "code", "approver"), RULES)
def test_each_rule_has_its_number_and_its_approver(
    source: str, limit: dict[str, Any], passes: Ask, fails: Ask, code: str, approver: int
) -> None:
    of = rules(**{source: limit})

    assert against(passes, of, OTHER) == ()
    (problem,) = against(fails, of, OTHER)
    assert (problem.code, problem.overridable_by) == (code, Approver(approver))
    assert problem.message
    assert problem.limit is None or (problem.asked is not None and problem.unit)


def test_where_nothing_ends_within_the_horizon_fewer_units_are_the_nearest_yes() -> None:
    for_good = Booked(make.window(1, 24 * 95), units=2, cost_minor=0)

    (full,) = against(ask(units=2), rules(pool={"concurrent_units": 2}), for_good)
    (some,) = against(ask(units=2), rules(pool={"concurrent_units": 3}), for_good)

    assert (full.nearest, some.nearest) == (None, 1)


@pytest.mark.parametrize(("source", "limit", "passes", "fails", "code", "approver"), RULES)
def test_of_two_limits_the_second_is_seen_too(
    source: str, limit: dict[str, Any], passes: Ask, fails: Ask, code: str, approver: int
) -> None:
    wide = {"concurrent_units": 1000, "gpu_hours_per_week": 1000, "approval_above_units": 1000}
    other = {"pool": "team", "team": "pool"}[source]

    assert [p.code for p in against(fails, rules(**{source: limit, other: wide}), OTHER)] == [code]


def nearest_of(problem: policy.Problem, wish: Ask) -> Ask:
    if isinstance(problem.nearest, int):
        return replace(wish, units=problem.nearest)
    assert problem.nearest is not None
    return replace(wish, window=problem.nearest)


minutes = st.integers(15, 3 * 24 * 60).map(lambda count: timedelta(minutes=count))
starts = st.integers(0, 40 * 24 * 60).map(lambda count: make.NOON + timedelta(minutes=count))
windows = st.builds(lambda at, length: Window(at, at + length), starts, minutes)
usages = st.lists(
    st.builds(
        Booked,
        window=windows,
        units=st.integers(1, 4),
        is_here=st.booleans(),
        share=st.sampled_from([Fraction(1), Fraction(1, 4)]),
        cost_minor=st.integers(0, 5_000),
    ),
    max_size=6,
).map(tuple)
asks = st.builds(
    Ask,
    window=windows,
    units=st.integers(1, 6),
    now=st.just(make.NOON),
    share=st.sampled_from([Fraction(1), Fraction(1, 4)]),
    price_minor=st.integers(0, 777),
    currency=st.just("EUR"),
)
times = st.integers(0, 1439).map(lambda minute: time(minute // 60, minute % 60))
LIMITS: dict[str, st.SearchStrategy[Any]] = {
    "shortest": minutes,
    "longest": minutes,
    "horizon": minutes,
    "lead_time": minutes,
    "cool_down": st.integers(1, 600).map(lambda count: timedelta(minutes=count)),
    "quiet": st.builds(QuietHours, times, times).filter(lambda quiet: quiet.starts != quiet.until),
    "concurrent_units": st.integers(1, 8),
    "gpu_hours_per_week": st.integers(1, 200),
    "budget_minor": st.integers(0, 20_000),
    "approval_above_units": st.integers(0, 5),
    "approval_above": minutes,
    "approval_above_cost_minor": st.integers(0, 5_000),
}
zones = st.sampled_from([UTC, BERLIN, ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Apia")])


@given(st.data(), st.sampled_from(sorted(LIMITS)), asks, usages, zones)
def test_the_nearest_yes_passes_its_rule(
    data: st.DataObject, limit: str, wish: Ask, usage: policy.Usage, zone: Any
) -> None:
    of = replace(rules(team={limit: data.draw(LIMITS[limit])}), zone=zone)
    if limit in {"cool_down", "lead_time", "quiet", "shortest"}:
        of = replace(of, pool=replace(of.team, source=Source.POOL), team=TEAM)

    for problem in against(wish, of, *usage):
        if problem.nearest is not None:
            again = against(nearest_of(problem, wish), of, *usage)
            assert problem.code not in [each.code for each in again]


@given(
    st.data(),
    st.sampled_from(["longest", "horizon", "concurrent_units", "gpu_hours_per_week"]),
    asks,
    usages,
)
def test_a_narrower_rule_never_allows_more(
    data: st.DataObject, limit: str, wish: Ask, usage: policy.Usage
) -> None:
    values = sorted([data.draw(LIMITS[limit]), data.draw(LIMITS[limit])])
    narrow, wide = (rules(team={limit: value}) for value in values)

    if not against(wish, narrow, *usage):
        assert not against(wish, wide, *usage)


@pytest.mark.parametrize(
    ("night", "starts_at", "first"),
    [
        # In Berlin the clock goes from 2:00 to 3:00 on 2026-03-29, and from 3:00 back to 2:00 on
        # 2026-10-25.
        pytest.param((22, 6), "2026-03-28T22:00Z", "2026-03-29T04:00Z", id="forward"),
        pytest.param((22, 6), "2026-10-24T21:00Z", "2026-10-25T05:00Z", id="back"),
        pytest.param((1, 2.5), "2026-03-29T00:30Z", "2026-03-29T01:00Z", id="ends-in-the-gap"),
        pytest.param((1, 2.5), "2026-10-24T23:30Z", "2026-10-25T00:30Z", id="the-first-2:30"),
        pytest.param((1, 2.5), "2026-10-25T01:10Z", "2026-10-25T01:30Z", id="the-second-2:10"),
        pytest.param((3, 2), "2026-03-29T00:59Z", "2026-03-30T00:00Z", id="the-free-hour-skipped"),
    ],
)
def test_quiet_hours_follow_the_wall_clock(
    night: tuple[float, float], starts_at: str, first: str
) -> None:
    begins, ends = (time(int(hour), round(hour % 1 * 60)) for hour in night)
    at = datetime.fromisoformat(starts_at)
    wish = Ask(Window(at, at + HOUR), 1, at)
    of = replace(rules(pool={"quiet": QuietHours(begins, ends)}), zone=BERLIN)

    (problem,) = against(wish, of)

    assert problem.nearest == Window(
        datetime.fromisoformat(first), datetime.fromisoformat(first) + HOUR
    )


def test_the_weeks_of_a_booking_count_apart_and_the_summer_week_is_shorter() -> None:
    last = datetime(2026, 3, 29, 20, tzinfo=UTC)
    weeks = list(policy.weeks_of(Window(last, last + 4 * HOUR), zone=BERLIN))

    assert [week.length for week in weeks] == [timedelta(days=7) - HOUR, timedelta(days=7)]
    wish = Ask(Window(last, last + 4 * HOUR), 1, last)
    assert not against(wish, replace(rules(team={"gpu_hours_per_week": 2}), zone=BERLIN))
    assert against(wish, replace(rules(team={"gpu_hours_per_week": 2}), zone=UTC))
    assert against(wish, replace(rules(team={"gpu_hours_per_week": 1}), zone=BERLIN))


def test_a_cost_over_the_end_of_a_month_is_split_to_the_cent() -> None:
    month_end = datetime(2026, 4, 1, tzinfo=UTC)
    booked = Booked(Window(month_end - HOUR, month_end + 2 * HOUR), 1, cost_minor=100)
    march, april = policy.months_of(booked.window)

    assert policy.spent_in(march, [booked]) == 33
    assert policy.spent_in(april, [booked]) == 67


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1).filter(any))
def test_a_split_adds_up(amount: int, weights: list[int]) -> None:
    assert sum(money.split(amount, weights)) == amount


@pytest.mark.parametrize(("minor", "said"), [(0, "0.00 EUR"), (-123_456, "-1,234.56 EUR")])
def test_money_is_said(minor: int, said: str) -> None:
    assert str(money.Money(minor, "EUR")) == said
    assert str(money.Money(7, "JPY")) == "7 JPY"


def test_early_release_costs_the_time_held() -> None:
    booked = make.window(0, 3)

    assert policy.held_cost(100, booked=booked, held=booked) == 100
    assert policy.held_cost(100, booked=booked, held=make.window(0, 2)) == 67


def test_a_pool_that_is_not_allowed_is_nobodys_to_override() -> None:
    (problem,) = against(ask(), replace(rules(), allowed_pools=frozenset({"Elsewhere"})))

    assert (problem.code, problem.is_overridable) == ("pool_not_allowed", False)


@pytest.mark.parametrize(
    ("authority", "left"),
    [(None, 2), (Approver.MANAGER, 1), (Approver.PLATFORM_ADMIN, 0)],
)
def test_a_manager_sets_aside_the_teams_limit_and_not_the_pools(
    authority: Approver | None, left: int
) -> None:
    found = against(ask(1, 9), rules(pool={"longest": HOUR}, team={"longest": 2 * HOUR}))

    standing = policy.standing(found, override={"window_too_long"}, authority=authority)
    assert len(standing) == left
    assert policy.standing(found, override=set(), authority=authority) == found


@pytest.mark.parametrize(
    "window",
    [
        Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
        make.window(5, 1),
    ],
)
def test_absurd_windows_are_left_to_the_products_bounds(window: Window) -> None:
    of = rules(
        pool={"cool_down": HOUR, "gpu_hours_per_week": 1, "quiet": QuietHours(time(1), time(2))},
        team={"budget_minor": 0},
    )

    assert against(replace(ask(), window=window), of) == ()


def test_managers_approve_in_a_pool_that_lets_them() -> None:
    of = replace(rules(pool={"approval_above_units": 1}), managers_may_approve=True)

    (problem,) = against(ask(units=2), of)
    assert problem.overridable_by == Approver.MANAGER


VALUES = [
    ({"concurrent_units": 0}, "concurrent_units", "too_small"),
    ({"concurrent_units": -1}, "concurrent_units", "too_small"),
    ({"gpu_hours_per_week": 0}, "gpu_hours_per_week", "too_small"),
    ({"budget_minor": -1, "currency": "EUR"}, "budget_minor", "too_small"),
    ({"concurrent_units": 2**40}, "concurrent_units", "too_large"),
    ({"lead_time_minutes": "soon"}, "lead_time_minutes", "not_a_number"),
    ({"shortest_minutes": 14}, "shortest_minutes", "beyond_the_product"),
    ({"shortest_minutes": 20_161}, "shortest_minutes", "beyond_the_product"),
    ({"longest_minutes": 20_161}, "longest_minutes", "beyond_the_product"),
    ({"horizon_days": 91}, "horizon_days", "beyond_the_product"),
    (
        {"shortest_minutes": 60, "longest_minutes": 59},
        "longest_minutes",
        "longest_below_shortest",
    ),
    (
        {"horizon_days": 1, "lead_time_minutes": 1_441},
        "lead_time_minutes",
        "lead_time_beyond_horizon",
    ),
    ({"quiet_from": time(1), "quiet_until": time(1)}, "quiet_until", "quiet_hours_equal"),
    ({"quiet_from": time(1)}, "quiet_until", "quiet_hours_incomplete"),
    ({"quiet_from": "night", "quiet_until": time(1)}, "quiet_from", "not_a_time"),
    ({"time_zone": "Europe/Atlantis"}, "time_zone", "unknown_time_zone"),
    ({"time_zone": "../etc/passwd"}, "time_zone", "unknown_time_zone"),
    ({"time_zone": ""}, "time_zone", "unknown_time_zone"),
    ({"budget_minor": 5}, "currency", "currency_missing"),
    ({"budget_minor": 5, "currency": "USD"}, "currency", "unknown_currency"),
]


@pytest.mark.parametrize(("values", "field", "code"), VALUES)
def test_rules_that_make_no_sense(values: dict[str, Any], field: str, code: str) -> None:
    (problem,) = policy.problems_with_values(values, currency="EUR")

    assert (problem.field, problem.code) == (field, code)


def test_rules_that_make_sense() -> None:
    values = {"budget_minor": 0, "currency": "EUR", "quiet_from": None, "longest_minutes": 15}

    assert policy.problems_with_values(values, currency="EUR") == ()


@given(usage=usages, hours=st.integers(0, 24 * 45))
def test_what_is_actual_grows_with_time_until_it_is_all_that_is_spent(
    usage: list[Booked], hours: int
) -> None:
    month = next(policy.months_of(make.window(0, 1)))
    now = make.at(hours)

    earlier, later = (
        policy.actual_in(month, usage, now=at) for at in (now, now + timedelta(hours=1))
    )

    assert 0 <= earlier <= later + 1  # a cent may fall to the next month when it is split
    assert later <= policy.spent_in(month, usage)
    assert policy.actual_in(month, usage, now=month.starts_at) == 0
    assert policy.actual_in(month, usage, now=make.at(24 * 400)) == policy.spent_in(month, usage)


@pytest.mark.parametrize("field", ["idle_pause_minutes", "idle_release_minutes"])
@pytest.mark.parametrize(
    ("warned", "nearest"), [(None, None), (30, 31), (60, 61)], ids=["never", "before", "then"]
)
def test_nothing_is_taken_away_without_a_warning_before(
    field: str, warned: int | None, nearest: int | None
) -> None:
    values = {"idle_minutes": warned, field: 30}

    (problem,) = policy.problems_with_values(values, currency="EUR")

    assert (problem.code, problem.field) == ("no_warning_before", field)
    assert problem.nearest == nearest
