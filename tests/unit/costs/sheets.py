"""A cost sheet as plain data: the reference server, and what a test changes of it."""

from typing import Any

from tokenomics.core.sheet import Sheet, sheet_of

SERVER = {
    "name": "C845A",
    "price": "60000",
    "residual": "6000",
    "life_months": "48",
    "in_service_from": "2026-01-01",
    "maintenance_ratio_per_year": "0.10",
    "source": "order 4711",
}
TARIFF = {
    "name": "grid",
    "price_per_kwh": "0.12",
    "valid_from": "2026-01-01",
    "source": "contract",
}
# 1,100 kWh in the 744 hours of October.
WATTS = {
    "host_watts": "1478.494623655914",
    "gpu_idle_watts": "0",
    "gpu_max_watts": "0",
    "valid_from": "2026-01-01",
    "source": "plate",
}
COOLING = {"pue": "1.54", "valid_from": "2026-01-01", "source": "facility"}


def plain(**changes: Any) -> dict[str, Any]:
    return {
        "currency": "EUR",
        "hardware": [SERVER],
        "tariffs": [TARIFF],
        "cooling": [COOLING],
        "watts": [WATTS],
        **changes,
    }


def sheet(**changes: Any) -> Sheet:
    return sheet_of(plain(**changes))
