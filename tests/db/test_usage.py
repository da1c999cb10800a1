"""GPU-hours and money by team, person and day, against the same sums in plain arithmetic."""

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, OrganisationRole
from reservations import policy, usage
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation
from tests import make

pytestmark = pytest.mark.django_db

MONTH = Window(make.at(-12 - 24 * 5), make.at(12 + 24 * 5))


def booked(first: float, last: float, **given: object) -> Reservation:
    released_at, cost = given.pop("released_at", None), given.pop("cost_minor", 1000)
    made = make.reservation(at=make.window(first, last), devices=(), **given)  # type: ignore[arg-type]
    Reservation.objects.filter(pk=made.pk).update(
        released_at=released_at, cost_minor=cost, is_no_show=given.get("is_no_show", False)
    )
    return made


def all_of(*by: str, within: Window = MONTH) -> list[usage.Usage]:
    return usage.grouped(Reservation.objects.all(), by=by, within=within, now=make.NOON)


def test_what_was_booked_is_used_given_back_or_still_to_come() -> None:
    pool, team = make.pool(), make.team()
    booked(-4, 4, of=pool, by=team, units=2)
    booked(-8, 0, of=pool, by=team, released_at=make.at(-6), state=State.COMPLETED)

    (row,) = all_of("team")

    share = Fraction(1, 4)  # a slice is a quarter of a GPU
    assert row.group == {"team": team.slug}
    assert row.booked_gpu_hours == (16 + 8) * share
    assert row.used_gpu_hours == (8 + 2) * share
    assert row.given_back_gpu_hours == 6 * share
    assert (row.cost_minor, row.used_cost_minor) == (1000 + 250, 500 + 250)
    assert row.bookings == 2


@pytest.mark.parametrize("state", [State.FAILED, State.WAITLISTED, State.PENDING])
def test_what_is_no_booking_or_failed_counts_for_nothing(state: State) -> None:
    booked(1, 5, state=state)

    assert all_of("team") == []


def test_what_never_began_counts_for_nothing() -> None:
    booked(1, 5, state=State.CANCELED, released_at=make.at(0))

    assert all_of("team") == []


def test_days_are_utc_and_a_period_cuts_them() -> None:
    booked(6, 30)  # from 18:00 until 18:00 of the next day

    rows = all_of("day", within=Window(make.at(7), make.at(24)))

    first = make.NOON.date()
    assert [row.group["day"] for row in rows] == [str(first), str(first + timedelta(days=1))]
    assert [row.booked_gpu_hours * 4 for row in rows] == [5, 12]


def test_currencies_are_not_added() -> None:
    pool, team = make.pool(), make.team()
    booked(-4, 4, of=pool, by=team)
    dollars = booked(-4, 4, of=pool, by=team)
    Reservation.objects.filter(pk=dollars.pk).update(currency="USD")

    assert [row.currency for row in all_of()] == ["EUR", "USD"]


def cuts() -> Iterator[Window]:
    """Weeks, months, and odd periods, that together are all of the time."""
    instants = [
        make.at(-200),
        make.at(-13.7),
        make.at(-0.01),
        make.at(5),
        make.at(99),
        make.at(400),
    ]
    yield from (Window(*pair) for pair in pairwise(instants))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.integers(-100, 90),
    hours=st.integers(1, 300),
    held_seconds=st.none() | st.integers(1, 300 * 3600 - 1),
    cost=st.integers(0, 10**9),
)
def test_the_parts_of_a_cost_add_up_to_it(
    first: int, hours: int, held_seconds: int | None, cost: int
) -> None:
    Reservation.objects.all().delete()
    window = make.window(first, first + hours)
    ended = window.starts_at + timedelta(seconds=held_seconds or 0)
    back = ended if held_seconds and ended < window.ends_at else None
    booked(first, first + hours, released_at=back, cost_minor=cost)
    held = Window(window.starts_at, back or window.ends_at)
    whole = policy.held_cost(cost, booked=window, held=held)

    parts = [row for cut in cuts() for row in all_of(within=cut)]

    assert sum(row.cost_minor for row in parts) == whole
    assert sum(row.booked_gpu_hours for row in parts) == Fraction(hours, 4)
    for row in parts:
        assert 0 <= row.used_cost_minor <= row.cost_minor
        assert row.used_gpu_hours + row.given_back_gpu_hours <= row.booked_gpu_hours


def test_a_month_costs_what_counts_against_its_budget() -> None:
    month = next(policy.months_of(make.window(0, 1)))
    over_its_end = (month.ends_at - make.NOON) // timedelta(hours=1) - 7
    made = booked(over_its_end, over_its_end + 24, cost_minor=1001)
    taken = policy.Booked(
        Window(made.starts_at, made.ends_at), 1, share=Fraction(1, 4), cost_minor=1001
    )
    after = policy.month_of(month.ends_at + timedelta(days=1))

    for each in (month, after):
        (row,) = all_of(within=each)
        assert row.cost_minor == policy.spent_in(each, (taken,))


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("member", {"me"}),
        ("viewer", {"me"}),
        ("manager", {"me", "mate"}),
        ("finance", {"me", "mate", "far"}),
    ],
)
def test_who_sees_whose(role: str, seen: set[str]) -> None:
    pool, team = make.pool(), make.team()
    finance = OrganisationRole.FINANCE if role == "finance" else OrganisationRole.NONE
    of_team = MembershipRole.MEMBER if role == "finance" else MembershipRole(role)
    me = make.user(teams=[team], role=of_team, organisation_role=finance, username="me")
    mate = make.user(teams=[team], username="mate")
    far = make.user(teams=[make.team()], username="far")
    for person, of in ((me, team), (mate, team), (far, make.team())):
        booked(-4, 4, of=pool, by=of, requested_by=person)

    visible = usage.bookings_accounted_to(me, now=make.NOON)
    rows = usage.grouped(visible, by=["person"], within=MONTH, now=make.NOON)

    assert {row.group["person"] for row in rows} == seen


@pytest.mark.parametrize("bookings", [1, 4])
def test_two_queries_however_many_bookings(
    bookings: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(bookings):
        booked(number, number + 1)

    with django_assert_num_queries(2):
        assert all_of("day", "team", "person")
