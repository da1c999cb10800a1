"""How long planning takes: a whole scenario, and a sweep over many.

    python3 benchmarks/planning.py [--seconds N]

A sweep asks each scenario for its yearly cost, unit cost, size and break-even against one price, as
a search over platforms would; a whole plan is what one request computes: every part with every
offer of the packaged price list, and its JSON.  The exit status is 1 if a goal was missed.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tokenomics import documents
from tokenomics.core import breakeven, cost, plan, report, sizing
from tokenomics.core.breakeven import Kind, Offer
from tokenomics.core.scenario import SizingGoal

MOST_MILLISECONDS_A_PLAN: Final = 10.0
LEAST_SCENARIOS_A_SECOND: Final = 2_000.0


def per_second(work: Callable[[], object], *, seconds: float) -> float:
    """Return how often ``work`` is done in a second, the best of three spans."""
    best = 0.0
    for _ in range(3):
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds / 3:
            work()
            done += 1
        best = max(best, done / (time.perf_counter() - began))
    return best


def main() -> int:
    """Measure and compare with the goals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each of the figures")
    seconds = parser.parse_args().seconds
    example = documents.scenario_from(documents.example_text())
    prices = documents.packaged_prices()
    loads = itertools.cycle([Decimal(percent) / 100 for percent in range(5, 100)])
    goal = example.sizing or SizingGoal()
    offer = Offer("one", "a cloud", Kind.TOKENS, Decimal("0.36"))

    def whole() -> None:
        report.as_json(plan.plan(example, prices=prices))

    def unit() -> None:
        varied = replace(example, utilisation=next(loads))
        total = cost.yearly_cost(varied.platform, utilisation=varied.utilisation).total
        tokens = cost.capacity_tokens_per_year(varied.models) * varied.utilisation
        cost.cost_per_million(total, tokens)
        breakeven.compare(varied, offer)

    def sized() -> None:
        unit()
        sizing.size(example, goal)

    whole_ms = 1_000 / per_second(whole, seconds=seconds)
    rates = {
        "sweep of cost and break-even, scenarios/s": per_second(unit, seconds=seconds),
        "the same with sizing, scenarios/s": per_second(sized, seconds=seconds),
    }
    print(f"{'figure':<44}{'measured':>10}{'goal':>10}")
    print(f"{'whole plan with JSON, ms':<44}{whole_ms:>10.1f}{MOST_MILLISECONDS_A_PLAN:>10.1f}")
    for name, rate in rates.items():
        print(f"{name:<44}{rate:>10,.0f}{LEAST_SCENARIOS_A_SECOND:>10,.0f}")
    slow = whole_ms > MOST_MILLISECONDS_A_PLAN
    return int(slow or min(rates.values()) < LEAST_SCENARIOS_A_SECOND)


if __name__ == "__main__":
    sys.exit(main())
