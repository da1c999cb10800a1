"""Statements: what a month says at its closing, numbered, with a digest, and never made twice."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tokenomics.core.lines import canonical
from tokenomics.models import CostCentre, CostPeriod, CostStatement
from tokenomics.selectors import costs as selectors


@dataclass(slots=True)
class _Totals:
    """What the lines of one statement add up to."""

    lines: int = 0
    amount_minor: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    teams: Counter[str] = field(default_factory=Counter)
    gpu_ns: Counter[str] = field(default_factory=Counter)

    def add(self, part: selectors.Part) -> None:
        self.lines += part.lines
        self.amount_minor += part.amount_minor
        self.kinds[part.kind] += part.amount_minor
        self.teams[part.team] += part.amount_minor
        self.gpu_ns[part.kind] += part.gpu_ns


def make(period: CostPeriod, *, now: datetime) -> list[CostStatement]:
    """Make the statement over all of ``period``, and one for each cost centre in it.

    The caller holds the period's lock, and closes it in the same transaction.
    """
    everything, by_centre = _Totals(), dict[str, _Totals]()
    for part in selectors.parts_of(period):
        everything.add(part)
        by_centre.setdefault(part.cost_centre, _Totals()).add(part)
    charged = set(CostCentre.objects.filter(is_charged=True).values_list("code", flat=True))
    parts: Iterable[tuple[str | None, _Totals]] = [(None, everything), *sorted(by_centre.items())]
    return CostStatement.objects.bulk_create(
        _statement(period, number, centre, totals, is_charged=centre in charged, now=now)
        for number, (centre, totals) in enumerate(parts)
    )


def _statement(
    period: CostPeriod,
    number: int,
    centre: str | None,
    totals: _Totals,
    *,
    is_charged: bool,
    now: datetime,
) -> CostStatement:
    name = f"{period}/{number:03}"
    lines_digest = selectors.lines_digest(period, cost_centre=centre)
    document = canonical(
        {
            "number": name,
            "version": 1,
            "period": period.month,
            "starts_at": period.starts_at,
            "ends_at": period.ends_at,
            "time_zone": period.time_zone,
            "cost_centre": centre,
            "booked_as": "chargeback" if is_charged else "showback",
            "currency": period.currency,
            "amount_minor": totals.amount_minor,
            "by_category": selectors.amounts_of(period, cost_centre=centre),
            "by_kind": totals.kinds,
            "by_team": totals.teams,
            "gpu_ns_by_kind": totals.gpu_ns,
            "lines": totals.lines,
            "lines_sha256": lines_digest,
            "names_sha256": hashlib.sha256(canonical(period.names)).hexdigest(),
            "idle_policy": period.idle_policy,
            "inputs": _inputs(period),
            "made_at": now,
            **({} if centre is not None else _of_all(period)),
        }
    )
    return CostStatement(
        number=name,
        period=period,
        cost_centre=centre,
        is_charged=is_charged,
        document=document.decode(),
        digest=hashlib.sha256(document).hexdigest(),
        lines_digest=lines_digest,
        lines=totals.lines,
        amount_minor=totals.amount_minor,
        currency=period.currency,
        made_at=now,
    )


def _inputs(period: CostPeriod) -> dict[str, Any]:
    """Return which version of the cost sheet it was, and what is in it, as a digest."""
    sheet = period.sheet
    assert sheet is not None  # noqa: S101 -- the constraint period_closed_by_somebody
    return {
        "cost_sheet": sheet.pk,
        "sha256": hashlib.sha256(sheet.document.encode()).hexdigest(),
        "entered_at": sheet.entered_at,
        "entered_by": sheet.entered_by.username,
        "calculated_at": period.calculated_at,
    }


def _of_all(period: CostPeriod) -> dict[str, Any]:
    """Return what only the statement over everything has: the pools of cost, hours and energy."""
    return {
        "pools": [
            {"pool": each.pool.slug, "category": each.category, "amount_minor": each.amount_minor}
            for each in selectors.cost_pools(period).order_by("pool__slug", "category")
        ],
        "capacity": period.summary,
    }
