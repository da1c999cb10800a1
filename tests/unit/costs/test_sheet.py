"""`tokenomics.core.sheet`: what finance may put in, and what it may not."""

from datetime import date
from typing import Any

import pytest

from tests.unit.costs.sheets import COOLING, SERVER, TARIFF, WATTS, plain, sheet
from tokenomics.core.fields import InvalidScenario
from tokenomics.core.sheet import Days, sheet_of

OTHER = {
    "category": "licences",
    "cost_per_month": "100",
    "valid_from": "2026-01-01",
    "source": "contract",
}
RATE = {"price_per_gpu_hour": "2", "valid_from": "2026-01-01", "source": "board"}


def problems(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidScenario) as refused:
        sheet_of(plain(**changes))
    return [(each.field, each.code) for each in refused.value.problems]


def test_a_sheet_names_its_pools_once() -> None:
    found = sheet(
        hardware=[SERVER, {**SERVER, "name": "b", "pool": "lab"}],
        watts=[WATTS, {**WATTS, "pool": "lab"}],
        other=[OTHER],
        rates=[{**RATE, "pool": "big"}],
    )

    assert found.pools == {"lab": "hardware[1].pool", "big": "rates[0].pool"}
    assert found.other[0].valid_until is None


@pytest.mark.parametrize("price", ["-1", "NaN", "Infinity", "", None, "1e99", "0x10"])
def test_a_price_is_a_number_from_nought(price: str | None) -> None:
    (found,) = problems(hardware=[SERVER, {**SERVER, "name": "b", "price": price}])

    assert found[0] == "hardware[1].price"
    assert found[1] in {"out_of_range", "not_a_number", "required"}


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"hardware": [SERVER, SERVER]}, "hardware[1].name", "repeated"),
        ({"hardware": [{**SERVER, "residual": "60001"}]}, "hardware[0].residual", "out_of_range"),
        (
            {"hardware": [{**SERVER, "retired_on": "2026-01-01"}]},
            "hardware[0].retired_on",
            "out_of_range",
        ),
        ({"hardware": [{**SERVER, "source": None}]}, "hardware[0].source", "required"),
        ({"hardware": [{**SERVER, "surprise": "1"}]}, "hardware[0].surprise", "unknown_field"),
        (
            {"hardware": [{**SERVER, "currency": "USD"}]},
            "hardware[0].currency",
            "mixed_currencies",
        ),
        ({"tariffs": [TARIFF, {**TARIFF, "name": "b"}]}, "tariffs[1]", "overlapping"),
        (
            {"tariffs": [{**TARIFF, "from_hour": 6, "until_hour": 6}]},
            "tariffs[0].until_hour",
            "out_of_range",
        ),
        (
            {"tariffs": [{**TARIFF, "valid_until": "2025-12-31"}]},
            "tariffs[0].valid_until",
            "out_of_range",
        ),
        ({"cooling": [COOLING, COOLING]}, "cooling[1].valid_from", "repeated"),
        ({"watts": [WATTS, WATTS]}, "watts[1].valid_from", "repeated"),
        ({"watts": [{**WATTS, "gpu_idle_watts": 9}]}, "watts[0].gpu_idle_watts", "out_of_range"),
        ({"other": [{**OTHER, "category": "power"}]}, "other[0].category", "reserved"),
        ({"rates": [RATE, RATE]}, "rates[1].valid_from", "repeated"),
        ({"currency": "euro"}, "currency", "not_a_text"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(
    changes: dict[str, Any], field: str, code: str
) -> None:
    assert (field, code) in problems(**changes)


def test_nothing_at_all_is_no_sheet() -> None:
    with pytest.raises(InvalidScenario):
        sheet_of(None)


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ({"until_hour": 6}, {"from_hour": 6}, False),
        ({"until_hour": 7}, {"from_hour": 6}, True),
        ({"days": "workdays"}, {"days": "weekend"}, False),
        ({"days": "all"}, {"days": "weekend"}, True),
        ({"valid_until": "2026-06-01"}, {"valid_from": "2026-06-01"}, False),
        ({"valid_until": "2026-06-02"}, {"valid_from": "2026-06-01"}, True),
    ],
)
def test_bands_of_a_tariff(first: dict[str, Any], second: dict[str, Any], *, overlap: bool) -> None:
    tariffs = [{**TARIFF, **first}, {**TARIFF, "name": "b", **second}]

    if overlap:
        assert problems(tariffs=tariffs) == [("tariffs[1]", "overlapping")]
    else:
        assert len(sheet(tariffs=tariffs).tariffs) == 2


def test_a_tariff_covers_its_hours() -> None:
    tariff = {**TARIFF, "days": "workdays", "from_hour": 6, "valid_until": "2026-11-01"}
    (found,) = sheet(tariffs=[tariff]).tariffs
    friday, saturday = date(2026, 10, 2), date(2026, 10, 3)

    assert found.covers(friday, 6)
    assert found.covers(friday, 23)
    assert not found.covers(friday, 5)
    assert not found.covers(saturday, 6)
    assert not found.covers(date(2026, 11, 2), 6)
    assert not found.covers(date(2025, 12, 31), 6)
    assert Days.WEEKEND.has(6)
    assert not Days.WEEKEND.has(0)
