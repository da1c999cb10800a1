"""`reservations.policy`: each rule at, below and above its bound; every reason at once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reservations import policy
from reservations.capacity import Demand, Window
from tests import make

SECOND = timedelta(seconds=1)
LAST_INSTANT = datetime.max.replace(tzinfo=UTC)


def codes(window: Window, *, units: int = 1, now: datetime = make.NOON) -> list[str]:
    return [p.code for p in policy.problems_with(window=window, units=units, now=now)]


def of_length(length: timedelta) -> Window:
    return Window(make.at(1), make.at(1) + length)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        pytest.param(of_length(policy.SHORTEST), [], id="shortest"),
        pytest.param(of_length(policy.SHORTEST - SECOND), ["window_too_short"], id="too-short"),
        pytest.param(of_length(policy.LONGEST), [], id="longest"),
        pytest.param(of_length(policy.LONGEST + SECOND), ["window_too_long"], id="too-long"),
        pytest.param(of_length(timedelta(0)), ["window_ends_before_it_starts"], id="empty"),
        pytest.param(of_length(-SECOND), ["window_ends_before_it_starts"], id="backwards"),
        pytest.param(make.window(0, 1), [], id="now"),
        pytest.param(
            Window(make.NOON - SECOND, make.at(1)), ["window_in_the_past"], id="just-missed"
        ),
        pytest.param(
            Window(make.NOON + policy.HORIZON, make.NOON + policy.HORIZON + policy.LONGEST),
            [],
            id="on-the-horizon",
        ),
        pytest.param(
            Window(make.NOON + policy.HORIZON + SECOND, make.NOON + policy.HORIZON * 1.1),
            ["beyond_the_horizon"],
            id="beyond-the-horizon",
        ),
    ],
)
def test_the_rules_of_windows(window: Window, expected: list[str]) -> None:
    assert codes(window) == expected


@pytest.mark.parametrize(("units", "expected"), [(1, []), (0, ["too_few_units"])])
def test_the_rule_of_units(units: int, expected: list[str]) -> None:
    assert codes(make.window(0, 1), units=units) == expected
    assert codes(make.window(0, 1), units=-units) == ["too_few_units"]


def test_every_reason_is_given_at_once() -> None:
    assert codes(make.window(-1, -1), units=0) == [
        "window_ends_before_it_starts",
        "window_in_the_past",
        "too_few_units",
    ]


@pytest.mark.parametrize(
    ("window", "field", "message"),
    [
        (
            make.window(1, 1.125),
            "ends_at",
            "the shortest booking is 15 minutes, yours is 7 min: end it at 2026-03-01 13:15 UTC"
            " or later",
        ),
        (
            of_length(timedelta(seconds=30)),
            "ends_at",
            "the shortest booking is 15 minutes, yours is 0 min: end it at 2026-03-01 13:15 UTC"
            " or later",
        ),
        (
            make.window(1, 1 + 14 * 24 + 25.5),
            "ends_at",
            "the longest booking is 14 days, yours is 15 d 1 h 30 min: end it by"
            " 2026-03-15 13:00 UTC",
        ),
        (
            make.window(2, 1),
            "ends_at",
            "it must end after it starts: choose an end after 2026-03-01 14:00 UTC",
        ),
        (
            make.window(-1, 1),
            "starts_at",
            "only the future can be booked: the earliest start is 2026-03-01 12:00 UTC",
        ),
        (
            make.window(91 * 24, 91 * 24 + 1),
            "starts_at",
            "bookings open 90 days ahead: start by 2026-05-30 12:00 UTC",
        ),
    ],
)
def test_a_reason_names_the_number_and_the_nearest_yes(
    window: Window, field: str, message: str
) -> None:
    (problem,) = policy.problems_with(window=window, units=1, now=make.NOON)

    assert (problem.field, problem.message) == (field, message)


def test_an_instant_is_said_in_utc_whatever_its_zone() -> None:
    zone = datetime.fromisoformat("2026-03-01T14:00:00+05:00")
    (problem,) = policy.problems_with(
        window=Window(zone, zone - SECOND), units=1, now=datetime(2026, 1, 1, tzinfo=UTC)
    )

    assert "2026-03-01 09:00 UTC" in problem.message


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)), st.integers())
@example(LAST_INSTANT - SECOND, LAST_INSTANT, 1)
@example(LAST_INSTANT, LAST_INSTANT, 1)
@example(datetime.min.replace(tzinfo=UTC), LAST_INSTANT, 10**30)
def test_any_window_gets_an_answer(starts_at: datetime, ends_at: datetime, units: int) -> None:
    problems = policy.problems_with(window=Window(starts_at, ends_at), units=units, now=make.NOON)

    assert all(problem.code and problem.field and problem.message for problem in problems)


@pytest.mark.parametrize("quantity", ["cpu_millicores", "memory_mib", "storage_gib"])
def test_the_least_of_a_quantity_is_enough_and_one_less_is_not(quantity: str) -> None:
    least = {q: getattr(policy.LEAST, q) for q in ("cpu_millicores", "memory_mib", "storage_gib")}

    assert policy.problems_with_demand(Demand(1, **least)) == ()
    (problem,) = policy.problems_with_demand(Demand(1, **least | {quantity: least[quantity] - 1}))

    assert (problem.code, problem.field) == ("too_little", quantity)
    assert str(least[quantity]) in problem.message


def test_an_offered_minute_is_never_too_early() -> None:
    now = make.NOON + SECOND

    (too_early,) = policy.problems_with(window=make.window(0, 1), units=1, now=now)
    (too_short,) = policy.problems_with(window=Window(now, now + SECOND), units=1, now=make.NOON)

    assert "the earliest start is 2026-03-01 12:01 UTC" in too_early.message
    assert "end it at 2026-03-01 12:16 UTC or later" in too_short.message


@pytest.mark.parametrize("quantity", ["cpu_millicores", "memory_mib", "storage_gib"])
def test_what_no_node_has_even_when_empty_cannot_be_asked_for(quantity: str) -> None:
    nodes = [Demand(0, 10, 10, 10), Demand(0, 20, 20, 20)]

    def problems(wanted: int) -> tuple[policy.Problem, ...]:
        return policy.problems_with_size(Demand(**{quantity: wanted}), nodes=nodes, where="Lab")

    assert problems(20) == ()
    (problem,) = problems(21)
    assert (problem.code, problem.field) == ("too_much", quantity)
    assert "the largest node of Lab has 20 " in problem.message
    assert problem.message.endswith("you asked for 21")


def test_without_nodes_there_is_nothing_to_ask_for() -> None:
    problems = policy.problems_with_size(Demand(9, 1, 1, 1), nodes=[], where="Lab")

    assert [problem.field for problem in problems] == [
        "cpu_millicores",
        "memory_mib",
        "storage_gib",
    ]
