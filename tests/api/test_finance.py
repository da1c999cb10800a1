"""What finance enters over the API: sheets, cost centres, budgets, adjustments; closing a month."""

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from rest_framework.test import APIClient

from gpuaas.accounts.models import OrganisationRole
from tests import make
from tests.api.clients import client_of
from tests.costs import october
from tests.costs.october import ENDS, OVER, SETTLED, October
from tests.unit.costs import sheets
from tokenomics.models import (
    CostAdjustment,
    CostCentre,
    CostCentreBudget,
    CostLine,
    CostPeriod,
    CostSheet,
    PeriodState,
)

pytestmark = pytest.mark.django_db
COSTS = "/api/v1/costs/"
MONTH = f"{COSTS}months/2026-10/"
AMOUNT = {"cost_centre": "CC-100", "amount_minor": -500, "currency": "EUR", "reason": "credit"}


@pytest.fixture
def month() -> October:
    found = october.october()
    found.period()
    return found


@pytest.fixture
def fin(month: October) -> APIClient:
    return client_of(month.by)


@pytest.fixture
def other(month: October) -> APIClient:
    return client_of(make.user(organisation_role=OrganisationRole.FINANCE))


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Let it be another time for the API."""

    def it_is(instant: datetime) -> None:
        clock = SimpleNamespace(now=lambda: instant)
        monkeypatch.setattr("gpuaas.api.v1.closing.timezone", clock)

    return it_is


def posted(client: APIClient, address: str, body: Any, *, status: int = 201) -> dict[str, Any]:
    answer = client.post(address, body, format="json")
    assert answer.status_code == status, answer.content
    found: dict[str, Any] = answer.json()
    return found


def problems(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["field"], each["code"]) for each in answer["details"]["problems"]]


def sheet(**changes: Any) -> dict[str, str]:
    return {"yaml": yaml.safe_dump(sheets.plain(**changes)), "reason": "prices of 2026"}


def test_each_version_of_the_sheet_is_kept_with_who_entered_it(fin: APIClient) -> None:
    first = posted(fin, f"{COSTS}sheets/", sheet())
    second = posted(fin, f"{COSTS}sheets/", sheet(other=[october.ALL_IN_ONE]))

    listed = fin.get(f"{COSTS}sheets/").json()["results"]
    assert [each["number"] for each in listed] == [second["number"], first["number"]]
    read = fin.get(f"{COSTS}sheets/{first['number']}/").json()
    assert (read["yaml"], read["entered_by"]) == (sheet()["yaml"], "fin")
    assert fin.get(f"{COSTS}sheets/{second['number'] + 1}/").status_code == 404


@pytest.mark.parametrize(
    ("changes", "field", "code", "line"),
    [
        (
            {"hardware": [{**sheets.SERVER, "price": "-1"}]},
            "hardware[0].price",
            "out_of_range",
            "price: '-1'",
        ),
        (
            {"hardware": [{**sheets.SERVER, "price": "NaN"}]},
            "hardware[0].price",
            "not_a_number",
            "price: NaN",
        ),
        (
            {"hardware": [{**sheets.SERVER, "price": None}]},
            "hardware[0].price",
            "required",
            "price: null",
        ),
        (
            {"tariffs": [sheets.TARIFF, {**sheets.TARIFF, "name": "second"}]},
            "tariffs[1]",
            "overlapping",
            "- name: second",
        ),
        (
            {"tariffs": [{**sheets.TARIFF, "currency": "USD"}]},
            "tariffs[0].currency",
            "mixed_currencies",
            "currency: USD",
        ),
        ({"currency": "USD"}, "currency", "mixed_currencies", "currency: USD"),
        (
            {"hardware": [{**sheets.SERVER, "pool": "moon"}]},
            "hardware[0].pool",
            "unknown_pool",
            "pool: moon",
        ),
    ],
)
def test_a_mistake_in_a_sheet_is_told_with_its_field_and_line(
    fin: APIClient, changes: dict[str, Any], field: str, code: str, line: str
) -> None:
    body = sheet(**changes)

    answer = posted(fin, f"{COSTS}sheets/", body, status=422)

    (told,) = answer["details"]["problems"]
    assert (answer["code"], told["field"], told["code"]) == ("sheet_refused", field, code)
    assert line in body["yaml"].splitlines()[told["line"] - 1]
    assert not CostSheet.objects.exists()


def test_a_sheet_that_is_no_yaml_is_refused_with_its_line(fin: APIClient) -> None:
    body = {"yaml": "currency: EUR\npools: [nonsense\n", "reason": "new"}

    answer = posted(fin, f"{COSTS}sheets/", body, status=422)

    assert "line " in answer["message"]
    assert not CostSheet.objects.exists()


def test_a_cost_centre_is_named_and_has_a_budget(fin: APIClient) -> None:
    posted(
        fin, f"{COSTS}centres/", {"code": "CC-7", "name": "Vision", "is_charged": True}, status=200
    )
    budget = {"cost_centre": "CC-7", "valid_from": "2020-01", "amount_minor": 120_050}
    posted(fin, f"{COSTS}budgets/", {**budget, "currency": "EUR", "blocks": True})

    centres = {each["code"]: each for each in fin.get(f"{COSTS}centres/").json()["results"]}
    assert set(centres) == {"CC-7", "CC-100", "CC-200", "CC-300"}
    assert centres["CC-7"]["is_charged"] is True
    assert (centres["CC-7"]["budget_minor"], centres["CC-100"]["budget_minor"]) == (120_050, None)
    listed = fin.get(f"{COSTS}budgets/", {"cost_centre": "CC-7"}).json()["results"]
    assert [(each["valid_from"], each["amount_minor"]) for each in listed] == [("2020-01", 120_050)]
    assert fin.get(f"{COSTS}budgets/", {"cost_centre": "CC-8"}).json()["results"] == []


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"cost_centre": "CC-9"}, 400, "cost_centre"),
        ({"valid_from": "2026-13"}, 400, "valid_from"),
        ({"valid_from": "0000-01"}, 400, "valid_from"),
        ({"valid_from": 202610}, 400, "valid_from"),
        ({"amount_minor": "much"}, 400, "amount_minor"),
        ({"amount_minor": 1.5}, 400, "amount_minor"),
        ({"amount_minor": -1}, 422, "amount_minor"),
        ({"currency": "USD"}, 422, "currency"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(
    fin: APIClient, changes: dict[str, Any], status: int, field: str
) -> None:
    CostCentre.objects.create(code="CC-7")
    budget = {"cost_centre": "CC-7", "valid_from": "2026-10", "amount_minor": 1, "currency": "EUR"}

    answer = posted(fin, f"{COSTS}budgets/", {**budget, **changes}, status=status)

    assert [name for name, _ in problems(answer)] == [field]
    assert not CostCentreBudget.objects.exists()


def test_no_number_is_no_amount(fin: APIClient) -> None:
    typed = '{"cost_centre": "CC-100", "amount_minor": NaN, "currency": "EUR", "reason": "x"}'

    answer = fin.post(f"{MONTH}adjustments/", typed, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
    assert not CostAdjustment.objects.exists()


def test_one_enters_an_amount_another_approves_it(fin: APIClient, other: APIClient) -> None:
    made = posted(fin, f"{MONTH}adjustments/", {**AMOUNT, "team": "team-1"})
    decide = f"{MONTH}adjustments/{made['id']}/"
    assert (made["team"], made["approved_by"], made["corrects"]) == ("team-1", None, None)

    same = posted(fin, f"{decide}approve/", {}, status=403)
    assert same["code"] == "second_person_needed"
    assert not CostLine.objects.exists()
    approved = posted(other, f"{decide}approve/", {}, status=200)
    assert approved["approved_at"]
    assert CostLine.objects.get().amount_minor == -500
    again = posted(other, f"{decide}reject/", {}, status=409)
    assert again["code"] == "decided_already"
    listed = fin.get(f"{MONTH}adjustments/").json()["results"]
    assert [each["id"] for each in listed] == [made["id"]]


def test_a_rejected_amount_is_no_line(fin: APIClient, other: APIClient) -> None:
    made = posted(fin, f"{MONTH}adjustments/", AMOUNT)

    rejected = posted(other, f"{MONTH}adjustments/{made['id']}/reject/", {}, status=200)

    assert rejected["rejected_at"]
    assert not CostLine.objects.exists()


def test_an_amount_sent_twice_with_one_key_is_entered_once(fin: APIClient) -> None:
    first, second = (
        fin.post(f"{MONTH}adjustments/", AMOUNT, format="json", headers={"Idempotency-Key": "k1"})
        for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    assert CostAdjustment.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"amount_minor": 0}, 422, "amount_minor"),
        ({"amount_minor": 2**60}, 400, "amount_minor"),
        ({"currency": "USD"}, 422, "currency"),
        ({"reason": "two\nlines"}, 422, "reason"),
        ({"reason": ""}, 400, "reason"),
        ({"team": "nobody"}, 400, "team"),
        ({"corrects": "2026-09"}, 422, "corrects"),
        ({"corrects": "September"}, 400, "corrects"),
        ({"amount": 5}, 400, "amount"),
    ],
)
def test_an_amount_that_makes_no_sense_is_refused(
    fin: APIClient, changes: dict[str, Any], status: int, field: str
) -> None:
    answer = posted(fin, f"{MONTH}adjustments/", {**AMOUNT, **changes}, status=status)

    assert [name for name, _ in problems(answer)] == [field]
    assert not CostAdjustment.objects.exists()


def test_a_month_is_calculated_and_closed_once(
    fin: APIClient, at: Callable[[datetime], None]
) -> None:
    posted(fin, f"{COSTS}sheets/", sheet())
    at(OVER)
    policy = fin.patch(MONTH, {"idle_policy": "spread"}, format="json")
    assert policy.json()["idle_policy"] == "spread"
    assert posted(fin, f"{MONTH}calculate/", {}, status=200)["state"] == "open"
    assert posted(fin, f"{MONTH}soft-close/", {}, status=200)["soft_closed_by"] == "fin"
    assert posted(fin, f"{MONTH}close/", {}, status=409)["code"] == "too_early"
    at(SETTLED)
    assert posted(fin, f"{MONTH}close/", {}, status=200)["closed_by"] == "fin"

    for step in ("calculate", "soft-close", "close"):
        again = posted(fin, f"{MONTH}{step}/", {}, status=409)
        assert again["code"] == "period_closed"
        assert "2026-10" in again["message"]
    late = fin.patch(MONTH, {"idle_policy": "platform"}, format="json")
    assert late.status_code == 409
    assert posted(fin, f"{MONTH}adjustments/", AMOUNT, status=409)["code"] == "period_closed"

    first, second = (fin.get(f"{MONTH}statements/") for _ in range(2))
    assert first.content == second.content
    assert first.json()["results"][0]["cost_centre"] is None
    assert fin.get(MONTH).json()["cost_sheet"] == CostSheet.objects.get().pk


def test_without_a_sheet_a_month_stays_open(fin: APIClient, at: Callable[[datetime], None]) -> None:
    at(ENDS)

    answer = posted(fin, f"{MONTH}soft-close/", {}, status=409)

    assert answer["code"] == "cannot_calculate"
    assert CostPeriod.objects.get().state == PeriodState.OPEN


def test_the_reconciliation_adds_up_to_the_calendar(
    fin: APIClient, at: Callable[[datetime], None]
) -> None:
    posted(fin, f"{COSTS}sheets/", sheet())
    at(OVER)
    posted(fin, f"{MONTH}calculate/", {}, status=200)

    found = fin.get(f"{MONTH}reconciliation/").json()

    assert found["is_even"] is True
    assert found["calendar_hours"] == "1488.0000"  # two GPUs, 744 hours
    assert sum(map(float, found["hours"].values())) == pytest.approx(1488)
    assert {each["difference_minor"] for each in found["balances"]} == {0}
    assert sum(sum(each.values()) for each in found["by_cost_centre"].values()) == sum(
        each["paid_minor"] for each in found["balances"]
    )


@pytest.mark.parametrize("address", [f"{COSTS}months/2026-09/", f"{COSTS}months/autumn/"])
def test_a_month_that_is_not_there_is_not_found(fin: APIClient, address: str) -> None:
    assert fin.get(address).status_code == 404
