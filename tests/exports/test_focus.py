"""FOCUS 1.2: every column, and what the validator of its makers says."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.exports import focus_validator, rows
from tokenomics.exports import focus
from tokenomics.exports.focus import Charge

HEAD = Path(__file__).with_name("focus-1.2-columns.txt")


def lines(*charges: Charge) -> list[dict[str, str]]:
    text = b"".join(focus.pieces(charges, by=rows.BY)).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_every_column_of_the_specification_is_there_and_one_of_ours() -> None:
    assert list(lines(rows.charge())[0]) == [*HEAD.read_text().split(), focus.COST_PER_MILLION]


def test_cost_is_price_times_quantity() -> None:
    for found in lines(*rows.charges()):
        if found["PricingQuantity"]:
            price, quantity = Decimal(found["ListUnitPrice"]), Decimal(found["PricingQuantity"])
            assert round(price * quantity, 2) == Decimal(found["ListCost"])


def test_reserved_hours_are_used_or_unused_and_others_neither() -> None:
    statuses = [
        (bool(each["CapacityReservationId"]), each["CapacityReservationStatus"])
        for each in lines(*rows.charges())
    ]

    assert statuses == [(True, "Used"), (True, "Unused"), *[(True, "Used")] * 3, *[(False, "")] * 3]


def test_tokens_are_counted_priced_by_the_million_and_cost_nothing_twice() -> None:
    _, _, found, *_ = lines(*rows.charges())

    assert (found["ConsumedQuantity"], found["ConsumedUnit"]) == ("8400000.0", "Tokens")
    assert (found["PricingQuantity"], found["PricingUnit"]) == ("8.4", "1000000 Tokens")
    assert (found["SkuMeter"], found["BilledCost"]) == ("Input Tokens", "0.0")
    assert found[focus.COST_PER_MILLION] == "5.25"


def test_no_tokens_of_a_kind_have_no_price() -> None:
    assert lines(*rows.charges())[4][focus.COST_PER_MILLION] == ""


def test_a_correction_is_billed_now_for_then() -> None:
    found = lines(*rows.charges())[6]

    assert found["ChargeClass"] == "Correction"
    assert found["BillingPeriodStart"] == "2026-10-01T00:00:00Z"
    assert found["ChargePeriodStart"] == "2026-09-03T00:00:00Z"
    assert (found["BilledCost"], found["ListUnitPrice"]) == ("-1.0", "0.5")


def test_words_are_defused_and_negative_numbers_are_not() -> None:
    (found,) = lines(replace(rows.charge(), amount_minor=-5, resource_name="=1+1"))

    assert found["ResourceName"] == "'=1+1"
    assert found["BilledCost"] == "-0.05"


def test_a_charge_without_a_place_or_cost_centre_leaves_them_empty() -> None:
    (found,) = lines(replace(rows.charge(), region="", sub_account="", sub_account_name=""))

    assert (found["RegionId"], found["RegionName"], found["SubAccountType"]) == ("", "", "")


# --- the validator ------------------------------------------------------------------------------


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[Iterable[Charge]], set[str]]:
    validator = focus_validator.required()

    def judge(charges: Iterable[Charge]) -> set[str]:
        file, free = tmp_path / "focus.csv", tmp_path / "rules"
        file.write_bytes(b"".join(focus.pieces(charges, by=rows.BY)))
        free.mkdir()
        return focus_validator.failures(file, validator=validator, rules=free)

    return judge


def test_the_validator_has_nothing_against_a_month(
    judged: Callable[[Iterable[Charge]], set[str]],
) -> None:
    assert judged(rows.charges()) == set()


def test_the_validator_finds_reserved_hours_without_a_status(
    judged: Callable[[Iterable[Charge]], set[str]],
) -> None:
    found = judged([replace(each, status=None) for each in rows.charges()])

    assert "CapacityReservationStatus-C-004-C" in found


def test_the_validator_finds_a_currency_that_does_not_exist(
    judged: Callable[[Iterable[Charge]], set[str]],
) -> None:
    found = judged([replace(each, currency="EURO") for each in rows.charges()])

    assert any(rule.startswith("BillingCurrency") for rule in found)
