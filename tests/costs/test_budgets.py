"""Budgets of cost centres: what is spent, who is told, and what is refused."""

from collections.abc import Callable
from dataclasses import replace as changed
from datetime import date
from fractions import Fraction

import pytest

from gpuaas import tasks
from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team
from gpuaas.core import locks
from gpuaas.inventory.models import Pool
from gpuaas.notifications import services as notifications
from gpuaas.notifications import wording
from gpuaas.notifications.models import Notice, OutboxMessage
from reservations import services
from reservations.models import Reservation
from reservations.services import rules
from tests import make
from tests.concurrency.threads import at_once
from tests.costs.october import finance
from tests.make import SLICE
from tokenomics.core.budgets import BudgetState
from tokenomics.models import CostCentre
from tokenomics.selectors import budgets as selectors
from tokenomics.services import budgets, inputs

pytestmark = pytest.mark.django_db(transaction=True)

AN_HOUR = 100


@pytest.fixture
def pools() -> list[Pool]:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    made = [make.pool(devices={SLICE: 8}, nodes=2) for _ in range(2)]
    for pool in made:
        services.set_price(
            pool=pool,
            resource_name=SLICE,
            minor_units_per_unit_hour=AN_HOUR,
            currency="EUR",
            valid_from=make.NOON,
            actor=admin,
            now=make.NOON,
        )
    return made


@pytest.fixture
def teams() -> list[Team]:
    """Two teams of one cost centre, and one of another."""
    made = []
    for slug, centre in (("vision", "CC-1"), ("language", "CC-1"), ("others", "CC-2")):
        team = make.team(slug=slug)
        Team.objects.filter(pk=team.pk).update(cost_centre=centre)
        made.append(Team.objects.get(pk=team.pk))
    return made


def allow(amount_minor: int | None, *, blocks: bool = True) -> None:
    centre, _ = CostCentre.objects.get_or_create(code="CC-1")
    inputs.set_budget(
        cost_centre=centre,
        valid_from=date(2026, 3, 1),
        amount_minor=amount_minor,
        currency="EUR",
        blocks=blocks,
        actor=finance(),
        now=make.NOON,
    )


def spend(hours: int, *, of: Pool, by: Team, since: float = 1) -> Reservation:
    wish = make.wish(
        at=make.window(since, since + hours),
        storage_gib=10,
        cpu_millicores=1000,
        memory_mib=1024,
    )
    return make.admitted(of=of, by=by, wish=wish)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(services.WishRefused) as refused:
        action()
    return refused.value.problems[0].code


def test_the_teams_of_a_cost_centre_spend_its_budget_together(
    pools: list[Pool], teams: list[Team]
) -> None:
    allow(700)
    spend(4, of=pools[0], by=teams[0])

    with pytest.raises(services.WishRefused) as refused:
        spend(4, of=pools[1], by=teams[1])
    spend(3, of=pools[1], by=teams[1])
    spend(8, of=pools[1], by=teams[2])

    (problem,) = refused.value.problems
    assert (problem.code, problem.limit, problem.asked) == ("budget_exceeded", 700, 800)
    assert problem.message.startswith("cost centre CC-1 has 3.00 EUR of 7.00 EUR left")
    assert problem.nearest is not None


def test_what_does_not_block_or_has_ended_refuses_nothing(
    pools: list[Pool], teams: list[Team]
) -> None:
    allow(100, blocks=False)
    spend(2, of=pools[0], by=teams[0])
    allow(100)
    assert code_of(lambda: spend(2, of=pools[0], by=teams[0])) == "budget_exceeded"
    allow(None)
    spend(2, of=pools[0], by=teams[0])


def test_an_absurd_wish_is_refused_for_what_it_is(pools: list[Pool], teams: list[Team]) -> None:
    allow(100)

    assert code_of(lambda: spend(24 * 400, of=pools[0], by=teams[0])) != "budget_exceeded"


def _client(pool: Pool, team: Team) -> Callable[[], str]:
    person = make.user(teams=[team])
    wish = make.wish(at=make.window(1, 5), storage_gib=10, cpu_millicores=1000, memory_mib=1024)

    def action() -> str:
        for _ in range(50):
            try:
                services.admit(pool=pool, team=team, requested_by=person, wish=wish, now=make.NOON)
            except services.WishRefused as refused:
                return refused.problems[0].code
            except locks.LockBusy:
                continue
            return "booked"
        return "gave up"

    return action


def test_a_budget_for_three_pays_for_three_of_either_team(
    pools: list[Pool], teams: list[Team]
) -> None:
    allow(3 * 400)

    outcomes = at_once([_client(pools[n % 2], teams[n % 2]) for n in range(8)])

    assert sorted(set(outcomes)) == ["booked", "budget_exceeded"]
    assert outcomes.count("booked") == Reservation.objects.count() == 3


def test_without_the_ledgers_of_the_others_it_is_overspent(
    pools: list[Pool], teams: list[Team], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(3 * 400)
    evaluate = rules.evaluate

    def unguarded(**asked: object) -> rules.Evaluation:
        found = evaluate(**asked)  # type: ignore[arg-type]  # passed on as they came
        terms = changed(found.terms, ledger_version=None, ledgers_of=())
        return rules.Evaluation(found.problems, terms)

    monkeypatch.setattr(rules, "evaluate", unguarded)

    outcomes = at_once([_client(pools[n % 2], teams[n % 2]) for n in range(8)])

    assert outcomes.count("booked") > 3


def test_the_state_of_a_budget_and_what_it_will_come_to(
    pools: list[Pool], teams: list[Team]
) -> None:
    allow(2_000)
    spend(4, of=pools[0], by=teams[0])
    spend(4, of=pools[0], by=teams[1])

    found = selectors.budget_state("CC-1", now=make.at(3))

    assert (found.budget_minor, found.blocks) == (2_000, True)
    assert (found.actual_minor, found.committed_minor) == (400, 400)
    assert (found.spent_minor, found.left_minor) == (800, 1_200)
    # 15 hours of March are over.
    assert found.forecast_minor == 400 + round(400 * (744 - 15) / 15)
    assert selectors.budget_state("CC-9", now=make.at(3)).left_minor is None


def test_a_forecast_is_at_least_what_is_booked() -> None:
    state = BudgetState(
        cost_centre="CC",
        currency="EUR",
        budget_minor=100,
        blocks=False,
        actual_minor=10,
        committed_minor=500,
        passed=Fraction(1, 2),
    )

    assert state.forecast_minor == 510
    assert changed(state, passed=Fraction(0)).forecast_minor == 510


def test_managers_of_its_teams_are_told_once(pools: list[Pool], teams: list[Team]) -> None:
    boss = make.user(teams=[teams[1]], role=MembershipRole.MANAGER)
    allow(1_000)
    assert budgets.announce_budgets(now=make.NOON) == 0
    spend(8, of=pools[0], by=teams[0])

    assert budgets.announce_budgets(now=make.NOON) == 1
    assert budgets.announce_budgets(now=make.NOON) == 0
    messages = OutboxMessage.objects.filter(event="budget.threshold")
    assert {each.team for each in messages} == set(teams[:2])
    notifications.fan_out(now=make.NOON)
    message = Notice.objects.get(person=boss).message
    said = wording.text_of(
        event=message.event, subject=message.subject, team="Language", data=message.data
    )
    assert said.title == "80 % of the budget of cost centre CC-1 for March 2026 is spoken for"

    allow(None)
    assert budgets.announce_budgets(now=make.NOON) == 0
    tasks.deliver_notices()
