"""Rules, limits and prices in the admin site: read by managers, set by administrators."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team
from gpuaas.audit.models import AuditEvent
from gpuaas.inventory.models import Pool
from reservations.models import PoolRules, TeamLedger, TeamRules, UnitPrice, default_currency
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    return client


@pytest.fixture
def manager(team: Team) -> Client:
    client = Client()
    client.force_login(make.user(teams=[team], role=MembershipRole.MANAGER))
    return client


def add(name: str) -> str:
    return reverse(f"admin:reservations_{name}_add")


def change(name: str, row: Any) -> str:
    return reverse(f"admin:reservations_{name}_change", args=[row.pk])


def told(action: str) -> list[dict[str, Any]]:
    events = AuditEvent.objects.filter(action=action).order_by("pk")
    return list(events.values_list("data__changed", flat=True))


def test_limits_of_a_team_are_set_through_the_service(admin: Client, team: Team) -> None:
    pool = make.pool()

    admin.post(add("teamrules"), {"team": team.pk, "budget_minor": 500_00, "pools": [pool.pk]})

    rules = TeamRules.objects.get(team=team)
    assert (rules.budget_minor, rules.currency) == (500_00, default_currency())
    assert list(rules.pools.all()) == [pool]
    assert told("team_rules.set")[0]["pools"] == {"from": [], "to": [pool.slug]}

    before = TeamLedger.objects.get(team=team).version
    admin.post(change("teamrules", rules), {"concurrent_units": 3, "pools": [pool.pk]})

    rules.refresh_from_db()
    assert (rules.budget_minor, rules.currency, rules.concurrent_units) == (None, "", 3)
    assert list(rules.pools.all()) == [pool]
    # What was evaluated under the old limits is evaluated again.
    assert TeamLedger.objects.get(team=team).version == before + 1


def test_what_somebody_else_set_meanwhile_stays(admin: Client, pool: Pool) -> None:
    admin.post(add("poolrules"), {"pool": pool.pk, "time_zone": "UTC", "horizon_days": 30})
    rules = PoolRules.objects.get(pool=pool)
    assert (rules.horizon_days, told("pool_rules.set")) == (
        30,
        [{"horizon_days": {"from": None, "to": 30}}],
    )

    admin.post(
        change("poolrules", rules),
        {"time_zone": "Europe/Berlin", "horizon_days": 30, "managers_may_approve": "on"},
    )

    rules.refresh_from_db()
    assert (rules.time_zone, rules.horizon_days) == ("Europe/Berlin", 30)
    assert set(told("pool_rules.set")[-1]) == {"time_zone", "managers_may_approve"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"shortest_minutes": 600, "longest_minutes": 60}, "longest_minutes"),
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"horizon_days": 0}, "horizon_days"),
        ({"horizon_days": -1}, "horizon_days"),
    ],
)
def test_rules_that_make_no_sense_are_said_beside_their_field(
    admin: Client, pool: Pool, wrong: dict[str, Any], field: str
) -> None:
    answer = admin.post(add("poolrules"), {"pool": pool.pk, "time_zone": "UTC", **wrong})

    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not PoolRules.objects.exists()
    assert told("pool_rules.set") == []


def test_prices_are_added_and_never_changed(admin: Client, pool: Pool) -> None:
    price = {"pool": pool.pk, "resource_name": make.SLICE, "minor_units_per_unit_hour": 250}

    admin.post(add("unitprice"), {**price, "valid_from_0": "2126-01-01", "valid_from_1": "00:00"})

    made = UnitPrice.objects.get()
    assert (made.minor_units_per_unit_hour, made.currency) == (250, default_currency())
    assert admin.post(change("unitprice", made), price).status_code == 403

    late = {**price, "valid_from_0": "2020-01-01", "valid_from_1": "00:00"}
    refused = admin.post(add("unitprice"), late, follow=True).content.decode()
    assert "prices change from now on, not backwards" in refused
    assert UnitPrice.objects.count() == 1


def test_a_manager_reads_the_limits_of_the_own_teams_only(manager: Client, team: Team) -> None:
    own, other = (TeamRules.objects.create(team=each) for each in (team, make.team()))

    assert manager.get(change("teamrules", own)).status_code == 200
    assert manager.get(change("teamrules", other)).status_code == 302  # as if not there
    assert manager.post(change("teamrules", own), {"concurrent_units": 99}).status_code == 403
    assert manager.get(add("teamrules")).status_code == 403
    own.refresh_from_db()
    assert own.concurrent_units is None
