"""A plan as the planning page shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from gpuaas.core.language import later
from gpuaas.portal.cards.scenario_fields import Group, groups
from tokenomics import documents
from tokenomics.core import report
from tokenomics.core.breakeven import BreakEven
from tokenomics.core.breakeven import Verdict as Owning
from tokenomics.core.cost import Forward
from tokenomics.core.gpus import GPUS
from tokenomics.core.plan import Plan
from tokenomics.core.project import Verdict as Project
from tokenomics.core.scenario import PriceList, Scenario
from tokenomics.core.sizing import Verdict as Size

_TONES: Final[Mapping[str, tuple[str, str]]] = {
    Size.RIGHT: ("success", later("Right")),
    Size.OVER: ("warning", later("Over")),
    Size.UNDER: ("danger", later("Under")),
    Size.INFEASIBLE: ("danger", later("Infeasible")),
    Owning.OWN_ALWAYS: ("success", later("Own, always")),
    Owning.BREAK_EVEN: ("info", later("Breaks even")),
    Owning.CLOUD_ALWAYS: ("warning", later("Cloud, always")),
    Owning.NEVER: ("warning", later("Never")),
    Project.CLOUD: ("info", later("The cloud is cheaper")),
    Project.BOOK: ("success", later("Book it")),
    Project.BUY: ("success", later("Buy")),
    Project.TOO_LARGE: ("danger", later("Too large")),
}
_PARTS: Final = ("capital", "maintenance", "other", "power", "cooling")
_LOW, _HIGH = Decimal("0.4"), Decimal("0.8")
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Badge:
    """A verdict in a word, and its colour."""

    tone: str
    word: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A slice in the picture of a GPU, from ``x`` on, ``width`` of 100 wide."""

    name: str
    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Picture:
    """So many GPUs that are cut alike; ``stranded`` of each is used by nobody."""

    gpus: int
    pieces: tuple[Piece, ...]
    words: str
    stranded: Decimal


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that the page shows of one scenario."""

    yaml: str
    scenario: Scenario
    groups: list[Group]
    plan: Plan
    costs: list[tuple[str, str]]
    total: str
    stranded: str
    low_per_million: Decimal
    high_per_million: Decimal
    size: Badge | None
    owning: Badge | None
    project: Badge | None
    offers: list[tuple[BreakEven, Badge]]
    pictures: list[Picture]
    drawings: dict[str, Any]


def sheet(scenario: Scenario, text: str, *, prices: PriceList) -> Sheet:
    """Return the sheet of ``scenario``, written as ``text``.

    Raises `documents.ScenarioRefused` when the scenario names a price that is not there.
    """
    plan = documents.plan_of(scenario, prices=prices)
    told = report.as_json(plan)
    costs = [(name, told["forward"]["cost"][name]) for name in _PARTS]
    return Sheet(
        yaml=text,
        scenario=scenario,
        groups=groups(documents.json_of(scenario)),
        plan=plan,
        costs=costs,
        total=told["forward"]["total"],
        stranded=told["forward"]["stranded_cost_per_year"],
        low_per_million=_at(plan.forward, _LOW),
        high_per_million=_at(plan.forward, _HIGH),
        size=_badge(plan.sizing.verdict) if plan.sizing else None,
        owning=_badge(plan.break_even[0].verdict) if plan.break_even else None,
        project=_badge(plan.project.verdict) if plan.project else None,
        offers=[(each, _badge(each.verdict)) for each in plan.break_even],
        pictures=_pictures(plan),
        drawings=_drawings(plan, told["charts"], costs),
    )


def _badge(verdict: str) -> Badge:
    return Badge(*_TONES[verdict])


def _at(found: Forward, utilisation: Decimal) -> Decimal:
    """Return the cost of a million tokens at ``utilisation``, which is on the curve."""
    return next(p.cost_per_million for p in found.curve if p.utilisation == utilisation)


def _pictures(plan: Plan) -> list[Picture]:
    weights = GPUS[plan.scenario.platform.gpu].weights
    found = []
    for layout in plan.sizing.layouts if plan.sizing else ():
        pieces, x = [], Decimal(0)
        for name, count in layout.slices:
            width = weights[name] * _WIDTH
            for _ in range(count):
                pieces.append(Piece(name, f"{x:.2f}", f"{width:.2f}"))
                x += width
        words = ", ".join(f"{count} x {name}" for name, count in layout.slices)
        found.append(Picture(layout.gpus, tuple(pieces), words, layout.stranded))
    return found


def _drawings(
    plan: Plan, charts: Mapping[str, Any], costs: list[tuple[str, str]]
) -> dict[str, Any]:
    """Return what the charts draw: those of the API, and three more."""
    routes = plan.fleet.routes if plan.fleet else ()
    return {
        **charts,
        "currency": plan.scenario.currency,
        "utilisation": float(plan.scenario.utilisation),
        "cost": {"names": [n for n, _ in costs], "amounts": [float(a) for _, a in costs]},
        "fleet": {
            "names": [each.name for each in routes],
            "own": [float(each.cost_per_million) for each in routes],
            "cloud": [
                None if each.cloud_cost_per_million is None else float(each.cloud_cost_per_million)
                for each in routes
            ],
        },
    }
