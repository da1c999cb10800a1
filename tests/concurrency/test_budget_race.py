"""A team that spends its budget from many sides at once, with the ledger's guard and without."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from gpuaas.accounts.models import OrganisationRole, Team
from gpuaas.core import locks
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.models import Reservation
from reservations.services import admission
from reservations.services import rules as rules_service
from reservations.services.booking import Terms
from tests import make
from tests.concurrency.threads import at_once
from tests.make import SLICE

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 16
AFFORDABLE = 3


@pytest.fixture
def team() -> Team:
    return make.team()


@pytest.fixture
def pools(team: Team) -> list[Pool]:
    """Two pools: the lock of one does not guard what the team books in the other."""
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    made = [make.pool(devices={SLICE: CLIENTS}, nodes=2) for _ in range(2)]
    for pool in made:
        services.set_price(
            pool=pool,
            resource_name=SLICE,
            minor_units_per_unit_hour=100,
            currency="EUR",
            valid_from=make.NOON,
            actor=admin,
            now=make.NOON,
        )
    services.set_team_rules(
        team=team,
        changes={"budget_minor": AFFORDABLE * 400, "currency": "EUR"},
        actor=admin,
        now=make.NOON,
    )
    return made


def spend(pool: Pool, team: Team) -> Callable[[], str]:
    """Return an action that books four hours for 4 EUR, and asks again when told to."""
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


def test_a_budget_for_three_pays_for_three(team: Team, pools: list[Pool]) -> None:
    outcomes = at_once([spend(pools[number % 2], team) for number in range(CLIENTS)])

    assert sorted(set(outcomes)) == ["booked", "budget_exceeded"]
    assert outcomes.count("booked") == Reservation.objects.count() == AFFORDABLE


def test_without_the_ledger_the_budget_is_overspent(
    team: Team, pools: list[Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = rules_service.evaluate

    def unguarded(**asked: object) -> services.Evaluation:
        found = evaluate(**asked)  # type: ignore[arg-type]  # passed on as they came
        terms = Terms(cost_minor=found.terms.cost_minor, currency=found.terms.currency)
        return services.Evaluation(found.problems, terms)

    monkeypatch.setattr(rules_service, "evaluate", unguarded)
    monkeypatch.setattr(admission, "ADMISSION_LOCK_WAIT", timedelta(seconds=30))

    outcomes = at_once([spend(pools[number % 2], team) for number in range(CLIENTS)])

    assert outcomes.count("booked") > AFFORDABLE
