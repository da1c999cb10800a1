"""``manage.py load_demo``: the demo organisation, once however often it is loaded."""

import io

import pytest
from django.core.management import call_command

from gpuaas import demo
from gpuaas.accounts import selectors
from gpuaas.accounts.models import Membership, Team, User
from gpuaas.inventory.models import Closure, Cluster, Node
from reservations import facts, services
from tests import make
from tests.make import GPU, SLICE
from tokenomics.models import CostLine, CostPeriod, CostSheet

pytestmark = pytest.mark.django_db


def load(**options: str) -> str:
    output = io.StringIO()
    call_command("load_demo", stdout=output, **options)
    return output.getvalue()


def test_everybody_can_log_in_with_the_password_that_is_printed() -> None:
    assert load() == "4 people, 2 teams, 1 cluster, 0 priced pools\n"

    for login in demo.LOGINS:
        user = User.objects.get(username=login.username)
        assert user.check_password(login.password)
        assert user.first_name == login.first_name


def test_the_second_load_changes_nothing_but_the_address() -> None:
    load()
    before = (User.objects.count(), Team.objects.count(), Membership.objects.count())

    load(workspace_url="http://127.0.0.1:8001/{namespace}/")

    assert (User.objects.count(), Team.objects.count(), Membership.objects.count()) == before
    assert Cluster.objects.get().workspace_url_template == "http://127.0.0.1:8001/{namespace}/"


def test_finance_sees_what_this_month_costs() -> None:
    make.pool(devices={GPU: 1})

    load()
    load()

    assert CostSheet.objects.count() == 1
    period = CostPeriod.objects.get()
    assert period.problem == ""
    assert sum(CostLine.objects.filter(period=period).values_list("amount_minor", flat=True)) > 0


def test_what_each_may() -> None:
    load()
    ada, mona, finn, root = (User.objects.get(username=login.username) for login in demo.LOGINS)

    def books(user: User) -> list[str]:
        return [team.slug for team in selectors.teams_bookable_by(user, now=make.at(10**6))]

    assert (books(ada), books(mona), books(finn), books(root)) == (["vision"], ["vision"], [], [])
    assert (mona.is_staff, finn.is_finance, root.is_platform_admin) == (True, True, True)
    assert not ada.is_staff


def test_teams_have_budgets_that_a_second_load_leaves_alone() -> None:
    load()
    vision, root = Team.objects.get(slug="vision"), User.objects.get(username="root")
    assert facts.team_rules(vision)[0].budget_minor == 250_000

    services.set_team_rules(team=vision, changes={"budget_minor": 1}, actor=root, now=make.NOON)
    load()

    assert facts.team_rules(vision)[0].budget_minor == 1


def test_a_pool_of_the_demo_cluster_gets_prices_and_an_evening_of_maintenance_once() -> None:
    load()
    pool = make.pool(devices={SLICE: 2, GPU: 1})
    Node.objects.update(cluster=Cluster.objects.get(name="demo"))

    assert load().endswith("1 priced pools\n")
    load()

    prices = {price.resource_name: price for price in facts.prices_of(pool)}
    assert (facts.prices_of(pool).count(), set(prices)) == (2, {SLICE, GPU})
    assert 0 < prices[SLICE].minor_units_per_unit_hour < prices[GPU].minor_units_per_unit_hour
    (closure,) = Closure.objects.all()
    assert (closure.pool, closure.node, closure.reason) == (pool, None, "Driver update")
