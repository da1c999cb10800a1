"""The reference server as a scenario, and the published examples."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tokenomics.core.scenario import Scenario, scenario_of

WORKED = Path(__file__).parent / "worked"


def worked(name: str) -> Any:
    """Return the published example ``name``, its decimals as `Decimal`."""
    return json.loads((WORKED / f"{name}.json").read_text(), parse_float=Decimal)


def reference(**changes: Any) -> dict[str, Any]:
    """Return the plain data of the reference server: two GPUs, one of them cut in four."""
    return {
        "version": 1,
        "name": "Reference server",
        "currency": "USD",
        "utilisation": "0.4",
        "platform": platform(),
        "models": models(),
        **changes,
    }


def platform(**changes: Any) -> dict[str, Any]:
    return {
        "gpu": "rtx-pro-6000-96gb",
        "gpus": 2,
        "gpus_per_server": 2,
        "servers": 1,
        "assets": [asset()],
        "electricity_price_per_kwh": "0.12",
        "pue": "1.54",
        "host_watts": 900,
        "gpu_idle_watts": 70,
        "gpu_max_watts": 600,
        **changes,
    }


def asset(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Server with 2 GPUs",
        "price": 60_000,
        "residual": 6_000,
        "life_years": 4,
        "maintenance_ratio_per_year": "0.1",
        **changes,
    }


def models(*, demands: tuple[int, int, int] = (0, 0, 0)) -> list[dict[str, Any]]:
    """Return 7B and 14B on two slices each, 70B on the whole GPU."""
    rows = [
        ("7B", "1g.24gb", 4_000, 2, "small"),
        ("14B", "1g.24gb", 2_000, 2, "medium"),
        ("70B", "whole", 3_000, 1, "large"),
    ]
    return [
        {
            "name": name,
            "slice": profile,
            "tokens_per_second": rate,
            "replicas": replicas,
            "demand_tokens_per_year": demand,
            "compare_with": price,
        }
        for (name, profile, rate, replicas, price), demand in zip(rows, demands, strict=True)
    ]


def scenario(**changes: Any) -> Scenario:
    return scenario_of(reference(**changes))


def prices(**changes: Any) -> dict[str, Any]:
    """Return three equivalents and two rentals, one of them of the platform's GPU."""
    flat = [("small", "0.18"), ("medium", "0.2"), ("large", "1.04")]
    return {
        "currency": "USD",
        "read_on": "2026-11-23",
        "source": "a test",
        "tokens": [
            {"id": name, "provider": "P", "input_per_million": each, "output_per_million": each}
            for name, each in flat
        ],
        "rentals": [
            {"id": "other", "provider": "R", "gpu": "h100-80gb", "price_per_gpu_hour": 3},
            {
                "id": "same",
                "provider": "R",
                "gpu": "rtx-pro-6000-96gb",
                "price_per_gpu_hour": "1.5",
            },
        ],
        **changes,
    }


def priceless(**changes: Any) -> Scenario:
    """Return the reference server with no cloud price named."""
    rows = [{**each, "compare_with": None} for each in models()]
    return scenario(models=rows, **changes)
