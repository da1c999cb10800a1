"""Planning with what was measured instead of what was assumed.

From a month's tokens, busy seconds and energy follow throughput, utilisation and watts:

    theta_j = tokens_j / busy replica-seconds_j
    u       = sum tokens_j / sum (theta_j replicas_j hours 3600)
    P_max   = P_idle + (mean GPU watts - P_idle) / active ratio

Throughput while busy is a lower bound of a benchmark's: batches were as large as the month's load
made them.  What was not measured, or cannot be inferred, stays as planned.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from tokenomics.core.scenario import MeasuredMonth, Platform, Scenario

_SECONDS_PER_HOUR: Final = 3_600
_WATTS_PER_KILOWATT: Final = 1_000
_ZERO: Final = Decimal()


@dataclass(frozen=True, slots=True)
class Change:
    """One input that was replaced."""

    field: str
    planned: Decimal
    measured: Decimal


@dataclass(frozen=True, slots=True)
class Measured:
    """Which inputs a month replaced."""

    month: str
    changes: tuple[Change, ...]


def apply(scenario: Scenario) -> tuple[Scenario, Measured | None]:
    """Return the scenario with its measured month in place of assumptions, and what changed."""
    month = scenario.measured
    if month is None:
        return scenario, None
    found = _with_throughput(scenario, month)
    found = replace(found, platform=_with_watts(found.platform, month))
    found = replace(found, utilisation=_utilisation(found, month))
    return found, Measured(month.month, tuple(_changes(scenario, found)))


def _with_throughput(scenario: Scenario, month: MeasuredMonth) -> Scenario:
    rates = {
        each.model: each.tokens / each.busy_replica_seconds
        for each in month.models
        if each.tokens and each.busy_replica_seconds
    }
    models = (
        replace(each, tokens_per_second=rates.get(each.name, each.tokens_per_second))
        for each in scenario.models
    )
    return replace(scenario, models=tuple(models))


def _with_watts(platform: Platform, month: MeasuredMonth) -> Platform:
    mean = month.gpu_kwh * _WATTS_PER_KILOWATT / month.hours / platform.gpus
    if month.host_kwh is not None:
        host = month.host_kwh * _WATTS_PER_KILOWATT / month.hours / platform.servers
        platform = replace(platform, host_watts=host)
    if mean < platform.gpu_idle_watts:
        return replace(platform, gpu_idle_watts=mean)
    if not month.active_ratio:
        return platform
    above_idle = (mean - platform.gpu_idle_watts) / month.active_ratio
    return replace(platform, gpu_max_watts=platform.gpu_idle_watts + above_idle)


def _utilisation(scenario: Scenario, month: MeasuredMonth) -> Decimal:
    seconds = month.hours * _SECONDS_PER_HOUR
    rate = sum((each.tokens_per_second * each.replicas for each in scenario.models), _ZERO)
    tokens = sum(each.tokens for each in month.models)
    return min(tokens / (rate * seconds), Decimal(1)) if tokens else scenario.utilisation


def _changes(planned: Scenario, found: Scenario) -> list[Change]:
    pairs = [("utilisation", planned.utilisation, found.utilisation)]
    pairs += [
        (f"platform.{name}", getattr(planned.platform, name), getattr(found.platform, name))
        for name in ("host_watts", "gpu_idle_watts", "gpu_max_watts")
    ]
    pairs += [
        (f"models[{index}].tokens_per_second", before.tokens_per_second, after.tokens_per_second)
        for index, (before, after) in enumerate(zip(planned.models, found.models, strict=True))
    ]
    return [Change(*pair) for pair in pairs if pair[1] != pair[2]]
