"""Planning in the admin site: managers see their team's scenarios, prices are entered anew."""

import pytest
from django.test import Client
from django.urls import reverse

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from tests import make
from tests.unit.planning.scenarios import scenario
from tokenomics import documents, services
from tokenomics.models import EnteredPrices, SavedScenario

pytestmark = pytest.mark.django_db
SCENARIOS = "admin:tokenomics_savedscenario_changelist"
PRICES = "admin:tokenomics_enteredprices_changelist"
ADD_PRICES = "admin:tokenomics_enteredprices_add"
LIST = "currency: USD\nread_on: 2026-11-01\nsource: an offer\n"


def saved(team: Team, *, name: str) -> SavedScenario:
    return services.save_scenario(
        team=team,
        document=documents.yaml_of(scenario(name=name)),
        actor=make.user(teams=[team]),
        now=make.NOON,
    )


def logged_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def administrator() -> Client:
    return logged_in(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))


def test_a_manager_sees_the_scenarios_of_the_own_team_only() -> None:
    team, other = make.team(), make.team()
    mine, theirs = saved(team, name="Ours"), saved(other, name="Theirs")
    manager = logged_in(make.user(teams=[team], role=MembershipRole.MANAGER))

    page = manager.get(reverse(SCENARIOS)).content.decode()

    assert str(mine) in page
    assert str(theirs) not in page
    assert manager.get(reverse(PRICES)).status_code == 403
    assert manager.get(reverse(ADD_PRICES)).status_code == 403


def test_entering_prices_begins_with_those_that_count(administrator: Client) -> None:
    assert b"gpt-5-mini" in administrator.get(reverse(ADD_PRICES)).content

    administrator.post(reverse(ADD_PRICES), {"document": LIST})

    entered = EnteredPrices.objects.get()
    assert (str(entered), entered.currency) == ("USD, read on 2026-11-01", "USD")
    assert b"an offer" in administrator.get(reverse(ADD_PRICES)).content
    assert administrator.get(reverse(PRICES)).status_code == 200


def test_what_is_no_price_list_is_refused_with_every_problem(administrator: Client) -> None:
    page = administrator.post(reverse(ADD_PRICES), {"document": "currency: USD"}).content.decode()

    assert "read_on: this field is required" in page
    assert "source: this field is required" in page
    assert not EnteredPrices.objects.exists()
