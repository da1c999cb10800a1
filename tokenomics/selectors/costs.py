"""What a month costs: periods, lines as plain data, statements, and whether everything adds up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from gpuaas.accounts.models import Team, User
from tokenomics.core.ledger import month_after
from tokenomics.core.lines import LineKind
from tokenomics.core.months import Month
from tokenomics.models import (
    CostAdjustment,
    CostCentre,
    CostPeriod,
    CostPool,
    CostSheet,
    CostStatement,
    PeriodState,
)

_BY_CATEGORY: Final = """
SELECT coalesce(pool.slug, ''), category, sum(due)::bigint, sum(paid)::bigint FROM (
    SELECT pool_id, category, amount_minor AS due, 0 AS paid FROM tokenomics_costpool
    WHERE period_id = %(period)s
    UNION ALL
    SELECT pool_id, part.key, 0, part.value::bigint
    FROM tokenomics_costline line CROSS JOIN LATERAL jsonb_each_text(line.amounts) part
    WHERE period_id = %(period)s AND adjustment_id IS NULL
) AS both_sides LEFT JOIN inventory_pool pool ON pool.id = pool_id
GROUP BY 1, 2 ORDER BY 1, 2
"""
_BY_CENTRE: Final = """
SELECT cost_centre, part.key, sum(part.value::bigint)::bigint
FROM tokenomics_costline line CROSS JOIN LATERAL jsonb_each_text(line.amounts) part
WHERE period_id = %(period)s GROUP BY 1, 2 ORDER BY 1, 2
"""
_AMOUNTS: Final = """
SELECT part.key, sum(part.value::bigint)::bigint
FROM tokenomics_costline line CROSS JOIN LATERAL jsonb_each_text(line.amounts) part
WHERE period_id = %(period)s AND (%(centre)s::text IS NULL OR cost_centre = %(centre)s)
GROUP BY 1 ORDER BY 1
"""
_PARTS: Final = """
SELECT cost_centre, kind, team_id, count(*), sum(amount_minor)::bigint, sum(gpu_ns)::bigint
FROM tokenomics_costline WHERE period_id = %(period)s
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
# Instants as milliseconds: their text would depend on who asks.
_DIGEST: Final = """
SELECT encode(sha256(coalesce(string_agg(sha256(convert_to((
    to_jsonb(line) - 'id' - 'period_id' - 'starts_at' - 'ends_at' || jsonb_build_object(
        'starts_ms', extract(epoch FROM starts_at) * 1000,
        'ends_ms', extract(epoch FROM ends_at) * 1000
    )
)::text, 'UTF8')), ''::bytea ORDER BY number), ''::bytea)), 'hex')
FROM tokenomics_costline line
WHERE period_id = %(period)s AND (%(centre)s::text IS NULL OR cost_centre = %(centre)s)
"""
_WRONG_SUMS: Final = """
SELECT count(*) FROM tokenomics_costline line WHERE period_id = %(period)s AND amount_minor
    <> (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(line.amounts))
"""
_NS: Final = """
SELECT kind, sum(gpu_ns)::bigint FROM tokenomics_costline WHERE period_id = %(period)s GROUP BY 1
"""
_BOOKED: Final = (LineKind.BOOKED_USED, LineKind.BOOKED_UNUSED, LineKind.FAILED)


def may_enter_costs(user: User) -> bool:
    """Return whether ``user`` may enter costs, close months and approve adjustments."""
    return user.is_active and (user.is_finance or user.is_platform_admin)


def zone() -> ZoneInfo:
    """Return the time zone that months of costs are counted in."""
    return ZoneInfo(settings.FINANCE_TIME_ZONE)


def cost_centres() -> QuerySet[CostCentre]:
    """Return every cost centre that finance has named, by code."""
    return CostCentre.objects.order_by("code")


def cost_centre_codes() -> list[str]:
    """Return the code of every cost centre that finance or a team has named."""
    of_teams = Team.objects.exclude(cost_centre="").values_list("cost_centre", flat=True)
    return sorted({*cost_centres().values_list("code", flat=True), *of_teams})


def sheets() -> QuerySet[CostSheet]:
    """Return every version of the cost sheet, the last first."""
    return CostSheet.objects.select_related("entered_by")


def periods() -> QuerySet[CostPeriod]:
    """Return every month that there is, the last first."""
    return CostPeriod.objects.select_related("sheet", "soft_closed_by", "closed_by")


def period_of(month: date) -> CostPeriod | None:
    """Return the period whose first day is ``month``."""
    return periods().filter(month=month).first()


def closed_before() -> date | None:
    """Return the first month that is not closed; None if none ever was."""
    closed = CostPeriod.objects.filter(state=PeriodState.CLOSED).order_by("-month").first()
    return month_after(closed.month) if closed else None


def month_of(period: CostPeriod) -> Month:
    """Return the period as core counts months."""
    return Month(period.month, ZoneInfo(period.time_zone))


def _name(period: CostPeriod, kind: str, key: int) -> str:
    return str(period.names.get(kind, {}).get(str(key), key))


def statements(period: CostPeriod) -> QuerySet[CostStatement]:
    """Return the statements of a closed month, that over all cost centres first."""
    return CostStatement.objects.filter(period=period).order_by("pk")


def lines_digest(period: CostPeriod, *, cost_centre: str | None) -> str:
    """Return the SHA-256, in hexadecimal, over the SHA-256 of each line as JSON, by number.

    A statement has it since its closing: it is another one if anything of a line has changed.
    """
    ((digest,),) = _rows(_DIGEST, period, centre=cost_centre)
    return str(digest)


def amounts_of(period: CostPeriod, *, cost_centre: str | None) -> dict[str, int]:
    """Return what a cost centre pays by category, entered lines too; None: all of them."""
    return dict(_rows(_AMOUNTS, period, centre=cost_centre))


@dataclass(frozen=True, slots=True)
class Part:
    """What the lines of one kind, cost centre and team add up to."""

    cost_centre: str
    kind: str
    team: str
    lines: int
    amount_minor: int
    gpu_ns: int


def parts_of(period: CostPeriod) -> list[Part]:
    """Return what the lines of a month add up to by cost centre, kind and team."""
    return [
        Part(centre, kind, "" if team is None else _name(period, "teams", team), *sums)
        for centre, kind, team, *sums in _rows(_PARTS, period)
    ]


def adjustments(period: CostPeriod) -> QuerySet[CostAdjustment]:
    """Return what people entered for a month, approved or not."""
    return CostAdjustment.objects.filter(period=period).select_related("entered_by", "approved_by")


def cost_pools(period: CostPeriod) -> QuerySet[CostPool]:
    """Return what there is to pay in a month, by pool and category, and where it comes from."""
    return CostPool.objects.filter(period=period).select_related("pool")


@dataclass(frozen=True, slots=True)
class Balance:
    """What one category of one pool costs, and what the lines pay of it, minor units."""

    pool: str
    category: str
    due_minor: int
    paid_minor: int

    @property
    def difference_minor(self) -> int:
        return self.due_minor - self.paid_minor


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Whether a month adds up: ``is_even`` tells in one word.

    ``hours`` are nanoseconds of whole GPUs by booked, idle, stranded and outage, as the lines have
    them, against ``calendar_ns``, what the GPUs' calendar says.  ``wrong_lines`` counts lines whose
    amounts are not their sum.  ``by_centre`` has the amounts of each cost centre by category,
    entered lines too.
    """

    balances: tuple[Balance, ...]
    by_centre: Mapping[str, Mapping[str, int]]
    hours: Mapping[str, int]
    calendar_ns: int
    wrong_lines: int

    @property
    def hours_difference_ns(self) -> int:
        return self.calendar_ns - sum(self.hours.values())

    @property
    def is_even(self) -> bool:
        return (
            not any(each.difference_minor for each in self.balances)
            and not self.hours_difference_ns
            and not self.wrong_lines
        )


def reconciliation(period: CostPeriod) -> Reconciliation:
    """Return whether lines add up to what there is to pay, and hours to the calendar."""
    balances = tuple(Balance(*row) for row in _rows(_BY_CATEGORY, period))
    by_centre: dict[str, dict[str, int]] = {}
    for centre, category, amount in _rows(_BY_CENTRE, period):
        by_centre.setdefault(centre, {})[category] = amount
    ns = dict(_rows(_NS, period))
    ((wrong_lines,),) = _rows(_WRONG_SUMS, period)
    return Reconciliation(
        balances=balances,
        by_centre=by_centre,
        hours={
            "booked": sum(ns.get(kind, 0) for kind in _BOOKED),
            "idle": ns.get(LineKind.IDLE, 0),
            "stranded": ns.get(LineKind.STRANDED, 0),
            "outage": ns.get(LineKind.OUTAGE, 0),
        },
        calendar_ns=period.summary.get("calendar_ns", 0),
        wrong_lines=wrong_lines,
    )


def _rows(sql: str, period: CostPeriod, **more: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"period": period.pk, **more})
        return list(cursor.fetchall())


def open_month(*, at: datetime) -> date:
    """Return the first month that an entry made at an instant can still go into."""
    current = at.astimezone(zone()).date().replace(day=1)
    closed = closed_before()
    return max(current, closed) if closed else current
