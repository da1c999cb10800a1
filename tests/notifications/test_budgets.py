"""Managers hear how much of a month's budget is spoken for: each threshold once."""

import threading
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas import tasks
from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.inventory.models import Pool
from gpuaas.notifications import services as notifications
from gpuaas.notifications.models import Notice, OutboxMessage
from reservations import policy, services
from reservations.models import Reservation, TeamLedger
from tests import make
from tests.concurrency.threads import at_once
from tests.make import SLICE

pytestmark = pytest.mark.django_db(transaction=True)

AN_HOUR = 100  # cents of one unit
BUDGET = 1_000


@pytest.fixture
def admin() -> User:
    return make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)


@pytest.fixture
def pool(admin: User) -> Pool:
    made = make.pool(devices={SLICE: 4})
    services.set_price(
        pool=made,
        resource_name=SLICE,
        minor_units_per_unit_hour=AN_HOUR,
        currency="EUR",
        valid_from=make.NOON,
        actor=admin,
        now=make.NOON,
    )
    return made


@pytest.fixture
def team(admin: User) -> Team:
    made = make.team(slug="vision")
    allow(made, BUDGET, by=admin)
    return made


def allow(team: Team, budget_minor: int, *, by: User) -> None:
    changes = {"budget_minor": budget_minor, "currency": "EUR"}
    services.set_team_rules(team=team, changes=changes, actor=by, now=make.NOON)


def spend(
    hours: int, *, of: Pool, by: Team, since: float = 1, now: datetime = make.NOON
) -> Reservation:
    wish = make.wish(at=make.window(since, since + hours), storage_gib=10)
    return make.admitted(of=of, by=by, wish=wish, now=now)


def told() -> list[str]:
    """Return what was told, without the number of the team."""
    keys = OutboxMessage.objects.filter(event="budget.threshold").order_by("pk")
    return [":".join(key.split(":")[2:]) for key in keys.values_list("key", flat=True)]


def tick(now: datetime = make.NOON) -> int:
    return services.announce_budgets(now=now)


def test_each_threshold_is_told_once(pool: Pool, team: Team) -> None:
    found = []
    for hours, since in ((4, 1), (1, 6), (2, 8), (1, 11), (2, 13)):
        spend(hours, of=pool, by=team, since=since)
        found += [tick(), tick()]

    assert found == [0, 0, 1, 0, 0, 0, 1, 0, 1, 0]
    assert told() == ["2026-03:50", "2026-03:80", "2026-03:100"]


def test_of_several_at_once_the_highest_is_told(pool: Pool, team: Team) -> None:
    spend(9, of=pool, by=team)

    tick()

    message = OutboxMessage.objects.get(event="budget.threshold")
    assert told() == ["2026-03:80"]
    assert (message.subject, message.team) == ("team:vision", team)
    assert message.data == {
        "percent": 80,
        "month": "March 2026",
        "spent": "9.00 EUR",
        "budget": "10.00 EUR",
    }


def test_managers_are_told_and_nobody_else(pool: Pool, team: Team) -> None:
    manager = make.user(teams=[team], role=MembershipRole.MANAGER)
    make.user(teams=[make.team()], role=MembershipRole.MANAGER)
    spend(5, of=pool, by=team)
    tick()

    notifications.fan_out(now=make.NOON)

    notices = Notice.objects.filter(message__event="budget.threshold")
    assert [notice.person for notice in notices] == [manager]


def test_what_was_told_is_not_told_again_when_it_comes_back(pool: Pool, team: Team) -> None:
    booked = spend(5, of=pool, by=team)
    tick()
    services.cancel(reservation=booked, actor=booked.requested_by, now=make.NOON)
    spend(6, of=pool, by=team)
    OutboxMessage.objects.all().delete()  # long forgotten

    assert (tick(), told()) == (0, [])


def test_each_month_has_its_own(pool: Pool, team: Team) -> None:
    april = 31 * 24
    spend(5, of=pool, by=team)
    spend(5, of=pool, by=team, since=april)

    assert tick() == 2
    assert told() == ["2026-03:50", "2026-04:50"]
    assert TeamLedger.objects.get().told == {"2026-03": 50, "2026-04": 50}

    spend(3, of=pool, by=team, since=april + 6, now=make.at(april))
    assert tick(make.at(april)) == 1
    assert TeamLedger.objects.get().told == {"2026-04": 80}


def test_a_smaller_budget_is_spoken_for_sooner(pool: Pool, team: Team, admin: User) -> None:
    spend(4, of=pool, by=team)
    before = tick()
    allow(team, 400, by=admin)

    assert (before, tick(), told()) == (0, 1, ["2026-03:100"])


def test_without_a_budget_nobody_is_told(pool: Pool) -> None:
    spend(5, of=pool, by=make.team())

    assert tick() == 0


def test_after_an_hour_without_a_tick_it_is_told_once(
    pool: Pool, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(5, of=pool, by=team)
    monkeypatch.setattr("gpuaas.tasks.timezone.now", lambda: make.at(1))

    tasks.deliver_notices()
    tasks.deliver_notices()

    assert told() == ["2026-03:50"]


def test_of_two_workers_at_once_one_tells(pool: Pool, team: Team) -> None:
    spend(5, of=pool, by=team)
    together = threading.Barrier(8, timeout=20)

    def work() -> int:
        together.wait()
        return tick()

    assert sum(at_once([work] * 8)) == 1
    assert told() == ["2026-03:50"]


@given(spent=st.integers(0, 3_000), budget=st.integers(0, 1_500))
def test_a_threshold_is_reached_when_that_part_is_spent(spent: int, budget: int) -> None:
    reached = policy.threshold_reached(spent, budget_minor=budget)

    parts = [each for each in (50, 80, 100) if spent > 0 and spent >= budget * each / 100]
    assert reached == max(parts, default=0)
