"""What finance enters in the portal: cost centres, budgets, sheets and adjustments."""

from datetime import date

import pytest
from django.test import Client

from gpuaas.accounts.models import OrganisationRole, Team, User
from tests import make
from tests.costs import october
from tests.costs.october import October
from tokenomics import documents
from tokenomics.models import (
    CostAdjustment,
    CostCentre,
    CostCentreBudget,
    CostLine,
    CostPeriod,
    CostSheet,
    IdlePolicy,
)

pytestmark = pytest.mark.django_db
PAGE = "/costs/finance/"
MONTH = "/costs/2026-10/"


@pytest.fixture
def month() -> October:
    found = october.october()
    found.period()
    return found


@pytest.fixture
def fin(client: Client, month: October) -> Client:
    client.force_login(month.by)
    return client


@pytest.fixture
def other(month: October) -> Client:
    client = Client()
    client.force_login(make.user(organisation_role=OrganisationRole.FINANCE))
    return client


def test_a_sheet_is_entered_and_the_next_one_starts_from_it(fin: Client) -> None:
    sheet = documents.example_sheet()
    assert "What you see is an example" in fin.get(PAGE).content.decode()
    pools = [line.split(":")[-1].strip() for line in sheet.splitlines() if "pool:" in line]
    for slug in {each for each in pools if each}:
        make.pool(slug=slug)
    before = CostSheet.objects.count()

    answer = fin.post(PAGE + "sheet/", {"document": sheet, "reason": "prices of 2026"}, follow=True)

    assert answer.status_code == 200, answer.content.decode()
    assert CostSheet.objects.count() == before + 1
    text = answer.content.decode()
    assert "counts from now on" in text
    assert "prices of 2026" in text


def test_a_sheet_with_a_mistake_is_kept_on_the_page_and_nowhere_else(fin: Client) -> None:
    typed = "currency: EUR\npools: [nonsense\n"

    answer = fin.post(PAGE + "sheet/", {"document": typed, "reason": "new"})

    assert answer.status_code == 422
    text = answer.content.decode()
    assert "pools: [nonsense" in text
    assert "line " in text
    assert not CostSheet.objects.exists()


def test_a_cost_centre_is_named_and_given_a_budget(fin: Client) -> None:
    named = {"code": "CC-7", "name": "Vision", "is_charged": "yes"}
    given = {"code": "CC-8", "valid_from": "2026-10", "amount_minor": "1200.50", "blocks": "yes"}

    fin.post(PAGE + "centre/", named)
    fin.post(PAGE + "budget/", given)

    assert CostCentre.objects.get(code="CC-7").is_charged
    budget = CostCentreBudget.objects.get(cost_centre__code="CC-8")
    assert (budget.amount_minor, budget.blocks) == (120_050, True)
    assert budget.valid_from == date(2026, 10, 1)
    text = fin.get(PAGE).content.decode()
    assert "1,200.50 EUR" in text
    assert "refuses bookings" in text
    assert "Chargeback" in text


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("valid_from", "October", "Write a month as 2026-10"),
        ("valid_from", "", "required"),
        ("amount_minor", "-1", "greater than or equal to 0"),
        ("amount_minor", "NaN", "Enter a number"),
        ("amount_minor", "0.001", "decimal places"),
        ("code", "", "required"),
        ("code", "CC\u20287", "one line"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused_beside_its_field(
    fin: Client, field: str, value: str, says: str
) -> None:
    given = {"code": "CC-8", "valid_from": "2026-10", "amount_minor": "12", "blocks": "no"}

    answer = fin.post(PAGE + "budget/", {**given, field: value})

    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not CostCentreBudget.objects.exists()


def test_teams_cost_centres_are_listed_before_finance_names_them(fin: Client) -> None:
    Team.objects.filter(pk=make.team().pk).update(cost_centre="CC-of-a-team")

    assert "CC-of-a-team" in fin.get(PAGE).content.decode()


def entered(fin: Client, **more: str) -> CostAdjustment:
    given = {"cost_centre": "CC-1", "amount_minor": "-10.25", "reason": "a credit", **more}
    fin.post(MONTH + "adjust/", given)
    return CostAdjustment.objects.get()


def test_one_enters_an_amount_and_another_approves_it(fin: Client, other: Client) -> None:
    found = entered(fin)
    address = f"{MONTH}adjust/{found.public_id}/"
    page = fin.get(MONTH + "reconciliation/").content.decode()
    assert "waits for somebody else" in page
    assert "-10.25 EUR" in page

    fin.post(address, {"step": "approve"})
    assert not CostLine.objects.exists()
    other.post(address, {"step": "approve"})

    assert CostLine.objects.get().amount_minor == -1025
    assert "approved by" in fin.get(MONTH + "reconciliation/").content.decode()
    again = other.post(address, {"step": "reject"}, follow=True)
    assert "Nothing was changed" in again.content.decode()


def test_an_amount_is_rejected(fin: Client, other: Client) -> None:
    found = entered(fin)

    other.post(f"{MONTH}adjust/{found.public_id}/", {"step": "reject"})

    assert not CostLine.objects.exists()
    assert "rejected" in fin.get(MONTH + "reconciliation/").content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount_minor", "0"),
        ("amount_minor", "x"),
        ("reason", " "),
        ("corrects", "2026-09"),
        ("corrects", "?"),
    ],
)
def test_an_amount_that_makes_no_sense_is_not_entered(fin: Client, field: str, value: str) -> None:
    given = {"cost_centre": "CC-1", "amount_minor": "10", "reason": "a credit", field: value}

    answer = fin.post(MONTH + "adjust/", given, follow=True)

    assert "Nothing was changed" in answer.content.decode()
    assert not CostAdjustment.objects.exists()


def test_idle_time_is_paid_as_finance_says_while_the_month_is_open(fin: Client) -> None:
    fin.post(MONTH + "idle/", {"policy": "spread"})
    assert CostPeriod.objects.get(month=october.MONTH).idle_policy == IdlePolicy.SPREAD

    fin.post(MONTH + "idle/", {"policy": "nobody"})
    assert CostPeriod.objects.get(month=october.MONTH).idle_policy == IdlePolicy.SPREAD


def test_others_get_nowhere(month: October) -> None:
    client = Client()
    person: User = make.user(teams=[make.team()])
    client.force_login(person)

    assert client.get(PAGE).status_code == 403
    assert client.post(MONTH + "adjust/", {"cost_centre": "CC-1"}).status_code == 403
