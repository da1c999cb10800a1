"""A plan as text for a terminal: verdicts first, then tables."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from tokenomics.core import wording
from tokenomics.core.breakeven import BreakEven
from tokenomics.core.cost import Forward
from tokenomics.core.growth import Growth
from tokenomics.core.plan import Plan
from tokenomics.core.sizing import Sizing

_ROUND_STEPS = 8


def as_text(plan: Plan) -> str:
    """Return ``plan`` as lines of at most about a hundred characters."""
    return "\n".join(_lines(plan)) + "\n"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return ``rows``, the first a heading, as aligned columns: the first left, others right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _lines(plan: Plan) -> Iterator[str]:
    scenario, money = plan.scenario, plan.scenario.currency
    yield scenario.name
    yield ""
    yield from (f"* {sentence}" for sentence in verdicts(plan))
    yield from _forward(plan.forward, money)
    if plan.measured:
        yield from _headed(f"Measured in {plan.measured.month}")
        rows = [[c.field, _short(c.planned), _short(c.measured)] for c in plan.measured.changes]
        yield from table([["replaced", "planned", "measured"], *rows])
    if plan.sizing:
        yield from _sizing(plan.sizing, money)
    if plan.break_even and plan.prices:
        yield from _headed(f"Own or rent (prices of {plan.prices.read_on})")
        yield from _break_even(plan.break_even)
    if plan.growth:
        yield from _growth(plan.growth, money)
    if plan.fleet:
        yield from _headed("Routes")
        rows = [
            [
                each.name,
                each.model,
                wording.percent(each.token_ratio),
                wording.percent(each.gpu_time_ratio),
                _price(each.cost_per_million),
                _price(each.cloud_cost_per_million),
            ]
            for each in plan.fleet.routes
        ]
        heading = ["route", "model", "tokens", "GPU time", f"{money}/M", "cloud/M"]
        yield from table([heading, *rows])
    yield from _headed(f"Sensitivity, {wording.percent(plan.sensitivity.ratio)} down and up")
    rows = [
        [b.name, _price(b.low_per_million), _price(b.high_per_million), _price(b.swing_per_million)]
        for b in plan.sensitivity.bars
    ]
    yield from table([["input", "lower", "higher", "swing"], *rows])


def verdicts(plan: Plan) -> list[str]:
    """Return the answers in one sentence each, the most asked for first."""
    found = plan.forward
    unit = wording.per_million(found.cost_per_million, plan.scenario.currency)
    answers = [
        f"A million tokens cost {unit} at {wording.percent(found.utilisation)} utilisation; "
        f"80 % costs {wording.percent(found.high_over_low)} of what 40 % does."
    ]
    answers += [plan.sizing.sentence] if plan.sizing else []
    answers += [plan.break_even[0].sentence] if plan.break_even else []
    answers += [f"Project: {plan.project.sentence}"] if plan.project else []
    answers += [f"Agents: {plan.growth.sentence}"] if plan.growth else []
    answers += [plan.fleet.sentence] if plan.fleet else []
    if plan.prices is None:
        answers.append(f"No cloud prices in {plan.scenario.currency}: give them under prices.")
    return answers


def _headed(heading: str) -> list[str]:
    return ["", heading]


def _forward(found: Forward, currency: str) -> Iterator[str]:
    yield from _headed("Yearly cost")
    parts = ("capital", "maintenance", "other", "power", "cooling", "total")
    rows = [[part, f"{getattr(found.cost, part):,.2f}"] for part in parts]
    yield from table([["", currency], *rows])
    yield from _headed("Cost of a million tokens")
    yield from table(
        [
            ["utilisation", "tokens a year", f"{currency} a year", f"{currency}/M"],
            *(
                [
                    wording.percent(each.utilisation),
                    wording.tokens(each.tokens_per_year).removesuffix(" tokens"),
                    f"{each.cost_per_year:,.2f}",
                    _price(each.cost_per_million),
                ]
                for each in found.curve[1::2]
            ),
        ]
    )


def _sizing(found: Sizing, currency: str) -> Iterator[str]:
    yield from _headed("Sizing")
    rows = [
        [
            each.name,
            each.slice,
            str(each.replicas),
            f"{each.gpu_equivalents:.2f}",
            wording.percent(each.mean_utilisation),
            wording.percent(each.peak_utilisation),
        ]
        for each in found.needs
    ]
    yield from table([["model", "slice", "replicas", "GPUs", "mean", "peak"], *rows])
    for each in found.layouts:
        slices = " + ".join(f"{count} x {name}" for name, count in each.slices)
        yield f"  {wording.counted(each.gpus, 'GPU')}: {slices}"
    if found.gpus_affordable is not None and found.servable_ratio is not None:
        yield (
            f"  The budget carries {wording.counted(found.gpus_affordable, 'GPU')}, "
            f"{wording.percent(found.servable_ratio)} of the demand."
        )
    if found.cost_required_per_year is not None:
        yield f"  Required: {wording.money(found.cost_required_per_year, currency)} a year"
    yield f"  Installed: {wording.money(found.cost_installed_per_year, currency)} a year"


def _break_even(rows: Sequence[BreakEven]) -> list[str]:
    heading = ["offer", "per M", "own from", "pays back", "verdict"]
    return table(
        [
            heading,
            *(
                [
                    each.offer.id,
                    _price(each.offer.price_per_million),
                    "-" if each.utilisation is None else wording.percent(each.utilisation),
                    "-" if each.payback_months is None else wording.months(each.payback_months),
                    each.verdict.value.replace("_", " "),
                ]
                for each in rows
            ),
        ]
    )


def _growth(found: Growth, currency: str) -> Iterator[str]:
    yield from _headed(f"Agents: {found.here.agents} on one context, {currency} a month")
    step = max(len(found.by_rounds) // _ROUND_STEPS, 1)
    points = found.by_rounds[step - 1 :: step]
    yield from table(
        [
            ["rounds", "cloud", "cloud, cached", "own", "slices"],
            *(
                [
                    str(each.rounds),
                    f"{each.cloud_cost:,.2f}",
                    f"{each.cloud_cost_cached:,.2f}",
                    f"{each.own_cost:,.2f}",
                    str(each.own_slices),
                ]
                for each in points
            ),
        ]
    )


def _price(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:,.4f}"


def _short(amount: Decimal) -> str:
    return f"{amount:,.4f}".rstrip("0").rstrip(".")
