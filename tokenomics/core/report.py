"""A plan as plain data for JSON: stable names, amounts rounded for people, series for charts.

Amounts are strings of decimals: money to the cent, money per million tokens and ratios to six
places.  Tokens are whole numbers.  ``charts`` alone holds floats: they are for drawing.
"""

import dataclasses
import enum
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from tokenomics.core import allocation
from tokenomics.core.cost import Forward
from tokenomics.core.growth import GrowthPoint
from tokenomics.core.plan import Plan

_CENT: Final = Decimal("0.01")
_FINE: Final = Decimal("0.000001")
_MONEY: Final = frozenset(
    {
        "capital",
        "maintenance",
        "other",
        "power",
        "cooling",
        "total",
        "running",
        "purchase_price",
        "rented_all_year",
        "surplus_per_year",
        "own_cost",
    }
)
_CATEGORIES: Final = ("capital", "maintenance", "other", "power", "cooling")
_TOKENS: Final = frozenset({"tokens", "tokens_per_year", "capacity_tokens_per_year"})


def as_json(plan: Plan) -> dict[str, Any]:
    """Return ``plan`` as plain data; absent parts are null.  docs/design/planning.md lists it."""
    return {
        "name": plan.scenario.name,
        "currency": plan.scenario.currency,
        "utilisation": _plain("utilisation", plan.scenario.utilisation),
        "prices": plan.prices
        and {"read_on": plan.prices.read_on.isoformat(), "source": plan.prices.source},
        "measured": _plain("measured", plan.measured),
        "forward": _forward(plan.forward),
        "sizing": _plain("sizing", plan.sizing),
        "break_even": _plain("break_even", plan.break_even),
        "project": _plain("project", plan.project),
        "growth": _plain("growth", plan.growth),
        "fleet": _plain("fleet", plan.fleet),
        "sensitivity": _plain("sensitivity", plan.sensitivity),
        "charts": charts(plan),
    }


def _forward(found: Forward) -> dict[str, Any]:
    """Return the forward answer; the categories' cents, and the models', add up to the total's."""
    total_cents = int((found.cost.total * 100).to_integral_value(ROUND_HALF_UP))
    categories = _split(total_cents, [getattr(found.cost, name) for name in _CATEGORIES])
    costs = [*(each.cost_per_year for each in found.models), found.stranded_cost_per_year]
    *models, stranded = _split(total_cents, costs)
    answer: dict[str, Any] = _plain("forward", found)
    answer["cost"].update(zip(_CATEGORIES, categories, strict=True))
    for row, cents in zip(answer["models"], models, strict=True):
        row["cost_per_year"] = cents
    return {
        **answer,
        "stranded_cost_per_year": stranded,
        "total": _plain("total", found.cost.total),
    }


def _split(total_cents: int, amounts: list[Decimal]) -> list[str]:
    cents = allocation.split(total_cents, amounts) if total_cents else [0] * len(amounts)
    return [f"{Decimal(each).scaleb(-2):.2f}" for each in cents]


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Decimal):
        return _rounded(name, value)
    if isinstance(value, enum.StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [_plain(name, each) for each in value]
    if dataclasses.is_dataclass(value):
        return {
            each.name: _plain(each.name, getattr(value, each.name))
            for each in dataclasses.fields(value)
        }
    return value


def _rounded(name: str, value: Decimal) -> str | int:
    if name in _TOKENS:
        return int(value.to_integral_value(ROUND_HALF_UP))
    fine = "per_million" in name or "per_gpu_hour" in name
    is_money = name in _MONEY or ("cost" in name and not fine)
    return f"{value.quantize(_CENT if is_money else _FINE, ROUND_HALF_UP):f}"


def charts(plan: Plan) -> dict[str, Any]:
    """Return series of floats: ``x`` and ``y`` of one length, in the order they are drawn."""
    curve = plan.forward.curve
    return {
        "unit_cost": {
            "x_utilisation": [float(each.utilisation) for each in curve],
            "y_own_per_million": [float(each.cost_per_million) for each in curve],
            "lines": [
                {
                    "id": each.offer.id,
                    "kind": each.offer.kind.value,
                    "per_million": float(each.offer.price_per_million),
                    "break_even_utilisation": _float(each.utilisation),
                }
                for each in plan.break_even
            ],
        },
        "growth_by_rounds": _growth("rounds", plan.growth.by_rounds) if plan.growth else None,
        "growth_by_agents": _growth("agents", plan.growth.by_agents) if plan.growth else None,
        "tornado": {
            "base_per_million": float(plan.sensitivity.base_per_million),
            "names": [each.name for each in plan.sensitivity.bars],
            "low_per_million": [float(each.low_per_million) for each in plan.sensitivity.bars],
            "high_per_million": [float(each.high_per_million) for each in plan.sensitivity.bars],
        },
    }


def _growth(axis: str, points: Iterable[GrowthPoint]) -> dict[str, list[float]]:
    points = list(points)
    return {
        f"x_{axis}": [getattr(each, axis) for each in points],
        "y_cloud": [float(each.cloud_cost) for each in points],
        "y_cloud_cached": [float(each.cloud_cost_cached) for each in points],
        "y_own": [float(each.own_cost) for each in points],
    }


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
