"""Rules, limits and prices in the database: what they refuse, what they cost, who sets them."""

from collections.abc import Callable
from datetime import time, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import InternalError, ProgrammingError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.audit.models import AuditEvent
from gpuaas.inventory.models import Pool
from reservations import facts, services
from reservations.lifecycle import State
from reservations.models import PoolRules, Reservation, TeamLedger, TeamRules, UnitPrice
from reservations.services import Approval, rules
from tests import make
from tests.make import GPU, SLICE
from tests.unit.test_limits import VALUES

pytestmark = pytest.mark.django_db

EUR = {"currency": "EUR"}


@pytest.fixture
def admin() -> User:
    return make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)


@pytest.fixture
def team() -> Team:
    return make.team()


@pytest.fixture
def pool() -> Pool:
    return make.pool()


def price(pool: Pool, admin: User, minor: int = 100, **changed: Any) -> UnitPrice:
    asked: dict[str, Any] = {
        "resource_name": SLICE,
        "minor_units_per_unit_hour": minor,
        "currency": "EUR",
        "valid_from": make.NOON,
        **changed,
    }
    return services.set_price(pool=pool, actor=admin, now=make.NOON, **asked)


@pytest.fixture
def limit(team: Team, admin: User) -> Callable[..., TeamRules]:
    def set_limit(**changes: Any) -> TeamRules:
        return services.set_team_rules(team=team, changes=changes, actor=admin, now=make.NOON)

    return set_limit


def codes(pool: Pool, team: Team, wish: services.Wish) -> list[str]:
    found = services.evaluate(pool=pool, team=team, wish=wish, now=make.NOON)
    return [problem.code for problem in found.problems]


def test_a_booking_keeps_what_it_costs(pool: Pool, team: Team, admin: User) -> None:
    price(pool, admin, 100)
    price(pool, admin, 300, valid_from=make.at(10))

    now = make.admitted(of=pool, by=team, wish=make.wish(units=2, at=make.window(1, 3.5)))
    later = make.admitted(of=pool, by=team, wish=make.wish(at=make.window(10, 11)))

    assert (now.cost_minor, now.currency) == (500, "EUR")
    assert Reservation.objects.get(pk=later.pk).cost_minor == 300


def test_no_limits_cost_one_query(
    pool: Pool, team: Team, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        facts.standing_rules(pool=pool, team=team, resource_name=SLICE, at=make.NOON)
    with django_assert_num_queries(3):  # the other two read the hardware, as ever
        services.evaluate(pool=pool, team=team, wish=make.wish(), now=make.NOON)


def test_a_limit_on_usage_costs_one_query_more(
    pool: Pool,
    team: Team,
    limit: Callable[..., TeamRules],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    limit(concurrent_units=3)
    with django_assert_num_queries(4):
        services.evaluate(pool=pool, team=team, wish=make.wish(), now=make.NOON)


def test_what_the_team_has_elsewhere_counts_and_what_others_have_does_not(
    pool: Pool, team: Team, limit: Callable[..., TeamRules]
) -> None:
    limit(concurrent_units=2)
    make.reservation(of=pool, units=2)
    make.reservation(by=team, at=make.window(4, 8))

    assert codes(pool, team, make.wish(units=2)) == ["too_many_units_at_once"]
    assert codes(pool, team, make.wish(units=1)) == []


@pytest.mark.parametrize(
    ("state", "released", "spent"),
    [
        (State.WAITLISTED, None, 0),
        (State.PENDING, None, 400),
        (State.APPROVED, None, 400),
        (State.COMPLETED, None, 400),
        (State.COMPLETED, 2, 100),
        (State.CANCELED, 1, 0),
        (State.CANCELED, 4, 300),
        (State.FAILED, None, 0),
    ],
)
def test_what_a_booking_takes_of_the_budget(
    team: Team, state: State, released: float | None, spent: int
) -> None:
    made = make.reservation(by=team, at=make.window(1, 5), state=state)
    at = None if released is None else make.at(released)
    Reservation.objects.filter(pk=made.pk).update(cost_minor=400, released_at=at)

    assert facts.used_by(team, now=make.NOON).spent_minor == spent


def test_a_budget_that_is_spent_refuses(
    pool: Pool, team: Team, admin: User, limit: Callable[..., TeamRules]
) -> None:
    price(pool, admin, 100)
    limit(budget_minor=700, **EUR)
    make.admitted(of=pool, by=team, wish=make.wish(at=make.window(1, 5)))

    with pytest.raises(services.WishRefused) as refused:
        make.admitted(of=pool, by=team, wish=make.wish(at=make.window(6, 10)))

    (problem,) = refused.value.problems
    assert (problem.code, problem.limit, problem.asked) == ("budget_exceeded", 700, 800)
    assert problem.nearest == make.window(6, 9)
    assert TeamLedger.objects.get(team=team).version == 2  # the limits, and one booking


def test_every_rule_of_a_pool_is_read(pool: Pool, team: Team, admin: User) -> None:
    changes = {
        "time_zone": "Europe/Berlin",
        "quiet_from": time(14),
        "quiet_until": time(15),
        "shortest_minutes": 240,
        "lead_time_minutes": 120,
        "approval_above_units": 0,
        "horizon_days": 1,
        "longest_minutes": 300,
        "cool_down_minutes": 60,
        "gpu_hours_per_week": 1,
        "concurrent_units": 1,
    }
    services.set_pool_rules(pool=pool, changes=changes, actor=admin, now=make.NOON)
    make.reservation(of=pool, by=team, at=make.window(-3, 0.8))
    make.reservation(of=pool, by=team, at=make.window(1, 2), resource_name=GPU)

    found = codes(pool, team, make.wish(units=2, at=make.window(1.5, 3)))

    assert set(found) == {
        "window_too_short",
        "lead_time_too_short",
        "quiet_hours",
        "cool_down",
        "too_many_units_at_once",
        "gpu_hours_per_week",
        "approval_needed",
    }


def test_a_team_books_in_its_pools_only(pool: Pool, team: Team, admin: User) -> None:
    services.set_team_rules(team=team, changes={}, pools=[make.pool()], actor=admin, now=make.NOON)
    assert codes(pool, team, make.wish()) == ["pool_not_allowed"]

    services.set_team_rules(team=team, changes={}, pools=[], actor=admin, now=make.NOON)
    assert codes(pool, team, make.wish()) == []


@pytest.mark.parametrize(
    ("role", "limited", "reason", "expected"),
    [
        (MembershipRole.MANAGER, "team", "a deadline", "booked"),
        (MembershipRole.MANAGER, "team", " ", "approval_needed reason_missing"),
        (MembershipRole.MEMBER, "team", "a deadline", "approval_needed"),
        (MembershipRole.MANAGER, "pool", "a deadline", "approval_needed"),
    ],
)
def test_who_may_approve(
    role: MembershipRole,
    limited: str,
    reason: str,
    expected: str,
    pool: Pool,
    team: Team,
    admin: User,
) -> None:
    changes = {"approval_above_units": 1}
    if limited == "team":
        services.set_team_rules(team=team, changes=changes, actor=admin, now=make.NOON)
    else:
        services.set_pool_rules(pool=pool, changes=changes, actor=admin, now=make.NOON)
    person = make.user(teams=[team], role=role)
    approval = Approval(by=person, override=frozenset({"approval_needed"}), reason=reason)

    try:
        services.admit(
            pool=pool,
            team=team,
            requested_by=person,
            wish=make.wish(units=2),
            now=make.NOON,
            approval=approval,
        )
    except services.WishRefused as refused:
        outcome = " ".join(problem.code for problem in refused.problems)
    else:
        outcome = "booked"
    assert outcome == expected
    for kept in Reservation.objects.all():
        assert (kept.overridden, kept.approved_by) == (["approval_needed"], person)
        said = AuditEvent.objects.get(action="reservation.approved").data
        assert said["override_reason"] == reason


def test_a_platform_administrator_approves_for_a_team_that_is_not_theirs(
    pool: Pool, team: Team, admin: User
) -> None:
    changes = {"approval_above_units": 1}
    services.set_pool_rules(pool=pool, changes=changes, actor=admin, now=make.NOON)
    asked: dict[str, Any] = {
        "pool": pool,
        "team": team,
        "requested_by": admin,
        "wish": make.wish(units=2),
        "now": make.NOON,
    }
    approval = Approval(by=admin, override=frozenset({"approval_needed"}), reason="a demo")

    with pytest.raises(services.NotYourTeam):
        services.admit(**asked)
    assert services.admit(**asked, approval=approval).approved_by == admin


@pytest.mark.parametrize(("values", "field", "code"), VALUES)
def test_rules_that_make_no_sense_change_nothing(
    values: dict[str, Any], field: str, code: str, pool: Pool, team: Team, admin: User
) -> None:
    asked: dict[str, Any] = {"changes": values, "actor": admin, "now": make.NOON}
    set_rules = (
        partial(services.set_team_rules, team=team, **asked)
        if "budget_minor" in values
        else partial(services.set_pool_rules, pool=pool, **asked)
    )
    with pytest.raises(services.RulesRefused) as refused:
        set_rules()

    assert [(p.field, p.code) for p in refused.value.problems] == [(field, code)]
    assert (PoolRules.objects.count(), TeamRules.objects.count()) == (0, 0)
    assert not AuditEvent.objects.filter(action__endswith="_rules.set").exists()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"minor_units_per_unit_hour": -1}, "too_small"),
        ({"minor_units_per_unit_hour": 2**41}, "too_small"),
        ({"currency": "USD"}, "unknown_currency"),
        ({"valid_from": make.NOON - timedelta(seconds=1)}, "valid_in_the_past"),
        ({"resource_name": "nvidia.com/banana"}, "unknown_type"),
    ],
)
def test_prices_that_make_no_sense(
    changed: dict[str, Any], code: str, pool: Pool, admin: User
) -> None:
    with pytest.raises(services.RulesRefused) as refused:
        price(pool, admin, **changed)

    assert [problem.code for problem in refused.value.problems] == [code]
    assert UnitPrice.objects.count() == 0


def test_unknown_rules_are_named(pool: Pool, admin: User) -> None:
    with pytest.raises(services.RulesRefused, match="there is no rule pk"):
        services.set_pool_rules(pool=pool, changes={"pk": 7}, actor=admin, now=make.NOON)


def test_only_platform_administrators_set_anything(pool: Pool, team: Team) -> None:
    manager = make.user(teams=[team], role=MembershipRole.MANAGER)

    with pytest.raises(services.RulesNotYours):
        services.set_pool_rules(pool=pool, changes={}, actor=manager, now=make.NOON)
    with pytest.raises(services.RulesNotYours):
        services.set_team_rules(team=team, changes={}, actor=manager, now=make.NOON)
    with pytest.raises(services.RulesNotYours):
        price(pool, manager)


def test_the_audit_trail_says_from_and_to(
    pool: Pool, admin: User, limit: Callable[..., TeamRules]
) -> None:
    limit(budget_minor=100, **EUR)
    limit(budget_minor=200)
    limit(budget_minor=200)

    events = AuditEvent.objects.filter(action="team_rules.set")
    assert [event.data["changed"]["budget_minor"] for event in events] == [
        {"from": 100, "to": 200},
        {"from": None, "to": 100},
    ]


@pytest.mark.parametrize("verb", ["update", "delete"])
def test_a_price_is_for_good(verb: str, pool: Pool, admin: User) -> None:
    made = price(pool, admin)
    statement = {
        "update": "UPDATE reservations_unitprice SET minor_units_per_unit_hour = 1",
        "delete": "DELETE FROM reservations_unitprice",
    }[verb]

    with (
        pytest.raises((InternalError, ProgrammingError), match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert UnitPrice.objects.get(pk=made.pk).minor_units_per_unit_hour == 100


def test_authority(team: Team, admin: User) -> None:
    member = make.user(teams=[team])

    assert rules.authority_over(team, person=member, now=make.NOON) is None
    assert rules.authority_over(team, person=admin, now=make.NOON) is not None
