"""What finance puts in: whole and by somebody, or not at all."""

from datetime import date

import pytest
import yaml

from gpuaas.accounts.models import OrganisationRole
from gpuaas.audit.models import AuditEvent
from tests import make
from tests.costs.october import finance
from tests.unit.costs.sheets import SERVER, TARIFF, plain
from tokenomics import documents
from tokenomics.models import CostCentre, CostCentreBudget, CostSheet
from tokenomics.selectors import costs as selectors
from tokenomics.services import inputs

pytestmark = pytest.mark.django_db


def enter(document: str, reason: str = "first") -> CostSheet:
    return inputs.enter_sheet(document=document, reason=reason, actor=finance(), now=make.NOON)


def refused(document: str) -> list[str]:
    with pytest.raises(documents.SheetRefused) as found:
        enter(document)
    assert not CostSheet.objects.exists()
    assert not AuditEvent.objects.filter(action="cost_sheet.entered").exists()
    return [str(each) for each in found.value.problems]


def test_every_version_stays_with_its_author_and_reason() -> None:
    first = enter(documents.example_sheet())
    second = enter(yaml.safe_dump(plain()), "new contract")

    assert list(selectors.sheets()) == [second, first]
    assert (second.entered_by.username, second.entered_at) == ("fin", make.NOON)
    assert str(second) == f"version {second.pk}: new contract"
    assert AuditEvent.objects.filter(action="cost_sheet.entered").count() == 2


def test_what_is_wrong_is_told_by_line_and_field() -> None:
    document = documents.example_sheet()
    bad = document.replace("price: 60000", "price: -1").replace("pue: 1.54", "pue: NaN")
    bad = bad.replace("    until_hour: 6\n", "    until_hour: 8\n")
    bad = bad.replace("    source: contract\n", "")

    lines = bad.splitlines()
    found = refused(bad)

    assert [each.partition(":")[0] for each in found] == [
        f"line {lines.index('    price: -1') + 1}, hardware[0].price",
        f"line {lines.index('  - pue: NaN') + 1}, cooling[0].pue",
        f"line {lines.index('  - category: licences') + 1}, other[0].source",
    ]


def test_overlapping_tariffs_are_told_by_their_line() -> None:
    document = documents.example_sheet().replace("    until_hour: 6\n", "    until_hour: 8\n")
    line = document.splitlines().index("  - name: early") + 1

    assert refused(document) == [f"line {line}, tariffs[1]: overlaps day: an hour has one price"]


def test_another_currency_and_pools_that_are_not_there() -> None:
    hardware = [SERVER, {**SERVER, "name": "b", "pool": "nowhere"}]
    document = yaml.safe_dump(plain(currency="USD", hardware=hardware))

    found = refused(document)

    assert [each.partition(", ")[2] for each in found] == [
        "currency: this installation counts in EUR, not in USD",
        "hardware[1].pool: there is no pool nowhere",
    ]


def test_money_of_two_kinds() -> None:
    document = yaml.safe_dump(plain(tariffs=[{**TARIFF, "currency": "USD"}]))

    (found,) = refused(document)
    assert found.endswith("tariffs[0].currency: USD in a sheet of EUR: one sheet, one money")


@pytest.mark.parametrize("text", ["a: b: c", "hardware: [", "{}", "", "- 1", "a: &x 1"])
def test_what_is_no_sheet_at_all(text: str) -> None:
    assert refused(text)


def test_a_sheet_needs_a_reason_and_finance() -> None:
    with pytest.raises(inputs.BadInput, match="reason: give one line"):
        enter(documents.example_sheet(), " ")
    with pytest.raises(inputs.FinanceOnly):
        inputs.enter_sheet(
            document=documents.example_sheet(), reason="x", actor=make.user(), now=make.NOON
        )
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    assert inputs.enter_sheet(
        document=documents.example_sheet(), reason="x", actor=admin, now=make.NOON
    ).pk


def test_cost_centres_are_named_and_charged() -> None:
    by = finance()
    CostCentre.objects.create(code="CC-1")
    made = inputs.set_cost_centre(
        code="CC-1", name="Research", is_charged=True, actor=by, now=make.NOON
    )

    assert CostCentre.objects.get() == made
    assert made.is_charged
    assert str(made) == "CC-1"
    with pytest.raises(inputs.BadInput, match="code"):
        inputs.set_cost_centre(code="", name="", is_charged=True, actor=by, now=make.NOON)
    with pytest.raises(inputs.BadInput, match="name"):
        inputs.set_cost_centre(code="x", name="x" * 81, is_charged=True, actor=by, now=make.NOON)


def test_budgets_are_kept_and_the_last_counts() -> None:
    by = finance()
    centre = CostCentre.objects.create(code="CC-1")

    def set_budget(**changes: object) -> CostCentreBudget:
        given = {
            "valid_from": date(2026, 10, 1),
            "amount_minor": 100,
            "currency": "EUR",
            "blocks": True,
            **changes,
        }
        return inputs.set_budget(cost_centre=centre, actor=by, now=make.NOON, **given)  # type: ignore[arg-type]

    made = set_budget()
    assert str(made) == "CC-1 from 2026-10"
    assert set_budget(amount_minor=None).amount_minor is None
    for changes, match in (
        ({"valid_from": date(2026, 10, 2)}, "give 2026-10-01"),
        ({"amount_minor": -1}, "amount_minor"),
        ({"amount_minor": 2**60}, "amount_minor"),
        ({"currency": "USD"}, "not in USD"),
    ):
        with pytest.raises(inputs.BadInput, match=match):
            set_budget(**changes)
    assert CostCentreBudget.objects.count() == 2
