"""`tokenomics.core.portions`: a month's cost by pool and category."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.unit.costs.sheets import SERVER, TARIFF, WATTS, sheet
from tokenomics.core.months import Month
from tokenomics.core.portions import HourEnergy, Installed, MonthCost, NoPrice, month_cost, rate_of

OCTOBER = Month(date(2026, 10, 1), ZoneInfo("UTC"))
LAB = Installed("lab", servers=1, gpus=2)


def cost(
    *pools: Installed, month: Month = OCTOBER, until: datetime | None = None, **changes: Any
) -> MonthCost:
    return month_cost(sheet(**changes), month, until or month.ends_at, pools or (LAB,), digits=2)


def amounts(found: MonthCost) -> dict[str, int]:
    return {each.category: each.amount_minor for each in found.portions}


def test_october_of_the_reference_server() -> None:
    found = cost()

    assert amounts(found) == {
        "capital": 112_500,
        "maintenance": 50_000,
        "power": 13_200,
        "cooling": 7_128,
    }
    assert found.total_minor == 182_828
    assert found.energy["lab"].measured_ratio == 0
    assert round(found.energy["lab"].kwh, 6) == 1100


def test_capital_starts_by_the_day_and_stops_at_the_residual() -> None:
    asset = {**SERVER, "price": "1000.01", "residual": "0", "life_months": "3"}
    asset |= {"in_service_from": "2026-10-16", "maintenance_ratio_per_year": "0"}
    months = [Month(date(2026 + m // 12, m % 12 + 1, 1), ZoneInfo("UTC")) for m in range(8, 15)]

    found = [
        amounts(cost(month=each, hardware=[asset], watts=[])).get("capital", 0) for each in months
    ]

    assert found[0] == 0
    assert found[1] == round(100_001 / 3 * 16 / 31)
    assert sum(found) == 100_001
    assert found[-2:] == [0, 0] or found[-1] == 0


def test_what_is_retired_costs_until_then() -> None:
    asset = {**SERVER, "retired_on": "2026-10-16", "maintenance_per_year": "1200"}

    found = amounts(cost(hardware=[asset], watts=[]))

    assert found == {"capital": 54_435, "maintenance": (50_000 + 10_000) * 15 // 31}


def test_a_month_that_is_under_way_costs_its_part() -> None:
    half = OCTOBER.starts_at + timedelta(hours=372)
    other = {"category": "space", "cost_per_month": "100", "valid_from": "2026-01-01"}
    other |= {"valid_until": "2027-01-01", "source": "lease"}

    found = amounts(cost(until=half, other=[other]))

    assert found["capital"] == 56_250
    assert found["space"] == 5_000
    assert found["power"] == 6_600


def test_what_is_for_all_pools_goes_by_their_gpus() -> None:
    found = cost(LAB, Installed("big", servers=1, gpus=8), watts=[])

    by_pool = {(each.pool, each.category): each.amount_minor for each in found.portions}
    assert by_pool["big", "capital"] == 90_000
    assert by_pool["lab", "capital"] == 22_500
    assert found.portions[0].made_of[0]["is_shared"] is True


def test_what_names_a_pool_is_its_own() -> None:
    found = cost(LAB, Installed("big", 1, 8), hardware=[{**SERVER, "pool": "big"}], watts=[])

    assert {each.pool for each in found.portions} == {"big"}


def test_nobody_to_share_it() -> None:
    with pytest.raises(NoPrice, match="nobody to share"):
        cost(Installed("lab", servers=1, gpus=0))


def test_energy_that_was_measured_goes_before_plates() -> None:
    watts = {**WATTS, "host_watts": "0", "gpu_idle_watts": "100", "gpu_max_watts": "600"}
    hour = OCTOBER.starts_at
    measured = HourEnergy(measured_mj=1_500_000_000, measured_gpu_ms=3_600_000)
    loaded = HourEnergy(load_gpu_ms=3_600_000)
    lab = Installed("lab", 1, 2, {hour: measured, hour + timedelta(hours=1): loaded})

    found = cost(lab, watts=[watts], until=hour + timedelta(hours=2), cooling=[], hardware=[])

    # 2 GPUs idle for 2 hours, 1.14 GJ above that measured, 500 Wh above it from the plate.
    kwh = Fraction(400, 1000) + Fraction(1_140_000_000, 3_600_000_000) + Fraction(1, 2)
    assert found.energy["lab"].kwh == kwh
    assert found.energy["lab"].measured_ratio == Fraction(1, 4)
    (power,) = found.portions
    assert power.amount_minor == round(kwh * 12)
    assert power.by_activity_minor == round(kwh * 12) - round(Fraction(400, 1000) * 12)


def test_a_board_that_draws_less_than_its_plate_says() -> None:
    watts = {**WATTS, "host_watts": "0", "gpu_idle_watts": "100", "gpu_max_watts": "600"}
    hour = OCTOBER.starts_at
    seen = HourEnergy(measured_mj=100_000_000, measured_gpu_ms=7_200_000)
    lab = Installed("lab", 1, 2, {hour: seen})

    found = cost(lab, watts=[watts], until=hour + timedelta(hours=1))

    assert found.energy["lab"].kwh == Fraction(100_000_000, 3_600_000_000)
    assert found.energy["lab"].measured_ratio == 1


def test_bands_price_their_local_hours_when_the_clock_changes() -> None:
    day = {**TARIFF, "name": "day", "from_hour": 2, "price_per_kwh": "1"}
    night = {**TARIFF, "name": "night", "until_hour": 2, "price_per_kwh": "0"}
    berlin = Month(date(2026, 10, 1), ZoneInfo("Europe/Berlin"))
    watts = {**WATTS, "host_watts": "1000"}

    found = amounts(cost(month=berlin, tariffs=[day, night], watts=[watts], cooling=[]))

    assert found["power"] == (745 - 31 * 2) * 100


def test_an_hour_without_a_tariff() -> None:
    with pytest.raises(NoPrice, match="tariffs: none covers 2026-10-01 00:00"):
        cost(tariffs=[{**TARIFF, "from_hour": 1}])


def test_a_day_without_watts() -> None:
    with pytest.raises(NoPrice, match="what lab draws on 2026-10-01"):
        cost(watts=[{**WATTS, "valid_from": "2026-10-02"}])


def test_watts_of_a_pool_go_before_those_of_all() -> None:
    own = {**WATTS, "pool": "lab", "host_watts": "1000"}

    assert amounts(cost(watts=[WATTS, own], cooling=[]))["power"] == (744 * 12)


def test_a_pool_that_nobody_gave_watts_uses_none() -> None:
    assert "power" not in amounts(cost(watts=[{**WATTS, "pool": "other"}]))


def test_a_month_that_has_not_begun_costs_nothing() -> None:
    found = cost(until=OCTOBER.starts_at)

    assert found.portions == ()
    assert found.energy["lab"].measured_ratio == 0


def test_rates_by_pool_and_day() -> None:
    rate = {"price_per_gpu_hour": "2", "valid_from": "2026-01-01", "source": "board"}
    later = {**rate, "valid_from": "2026-11-01", "price_per_gpu_hour": "3"}
    own = {**rate, "pool": "big", "price_per_gpu_hour": "5"}
    found = sheet(rates=[rate, later, own])

    assert rate_of(found, "lab", OCTOBER) == 2
    assert rate_of(found, "big", OCTOBER) == 5
    assert rate_of(found, "lab", Month(date(2026, 12, 1), ZoneInfo("UTC"))) == 3
    assert rate_of(sheet(), "lab", OCTOBER) is None


def test_datetimes_are_utc() -> None:
    assert OCTOBER.starts_at == datetime(2026, 10, 1, tzinfo=UTC)
