"""Statements: what a month says at its closing, numbered, with a digest, and never made twice."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tokenomics.core.lines import StatementLine, canonical, plain
from tokenomics.models import CostCentre, CostPeriod, CostStatement
from tokenomics.selectors import costs as selectors


@dataclass(slots=True)
class _Totals:
    """What the lines of one statement add up to, and the digest over them."""

    lines: int = 0
    amount_minor: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    categories: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    teams: Counter[str] = field(default_factory=Counter)
    gpu_ns: Counter[str] = field(default_factory=Counter)

    def add(self, line: StatementLine, written: bytes) -> None:
        self.lines += 1
        self.amount_minor += line.amount_minor
        self.digest.update(written)
        self.categories.update(line.amounts)
        self.kinds[line.kind.value] += line.amount_minor
        self.teams[line.team] += line.amount_minor
        self.gpu_ns[line.kind.value] += line.gpu_ns


def make(period: CostPeriod, *, now: datetime) -> list[CostStatement]:
    """Make the statement over all of ``period``, and one for each cost centre in it.

    The caller holds the period's lock, and closes it in the same transaction.
    """
    everything, by_centre = _Totals(), dict[str, _Totals]()
    for line in selectors.lines_of(period):
        written = canonical(plain(line)) + b"\n"
        everything.add(line, written)
        by_centre.setdefault(line.cost_centre, _Totals()).add(line, written)
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
    lines_digest = totals.digest.hexdigest()
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
            "by_category": totals.categories,
            "by_kind": totals.kinds,
            "by_team": totals.teams,
            "gpu_ns_by_kind": totals.gpu_ns,
            "lines": totals.lines,
            "lines_sha256": lines_digest,
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
