"""What the rules need to know: one query for the rules themselves, more only where a limit asks."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import F, Q, QuerySet

from gpuaas.accounts.models import Team
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Cluster, Pool
from reservations import lifecycle, policy
from reservations.capacity import Window
from reservations.models import (
    PoolRules,
    Reservation,
    TeamLedger,
    TeamRules,
    UnitPrice,
    default_currency,
)

OF_POOL: Final = (
    "time_zone",
    "shortest_minutes",
    "longest_minutes",
    "horizon_days",
    "lead_time_minutes",
    "concurrent_units",
    "gpu_hours_per_week",
    "cool_down_minutes",
    "quiet_from",
    "quiet_until",
    "approval_above_units",
    "approval_above_minutes",
    "approval_above_cost_minor",
    "managers_may_approve",
)
# What is for later than the booking: admission does not read it.
OF_POOL_LATER: Final = (
    "hold_minutes",
    "no_show_minutes",
    "idle_minutes",
    "idle_pause_minutes",
    "idle_release_minutes",
)
OF_TEAM: Final = (
    "budget_minor",
    "longest_minutes",
    "horizon_days",
    "gpu_hours_per_week",
    "concurrent_units",
    "approval_above_units",
    "approval_above_minutes",
    "approval_above_cost_minor",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The rules over bookings of one type by one team in one pool, as they are now.

    ``price_minor`` is of a unit-hour; ``ledger_version`` is 0 where the team has no ledger yet.
    """

    rules: policy.Rules
    price_minor: int
    currency: str
    ledger_version: int


# Written by hand: for the ORM to put these together takes longer than for PostgreSQL to answer.
_STANDING: Final = """
SELECT
    (SELECT to_json(r) FROM reservations_poolrules r WHERE r.pool_id = %(pool)s)::text,
    (SELECT to_json(r) FROM reservations_teamrules r WHERE r.team_id = %(team)s)::text,
    ARRAY(
        SELECT p.name FROM reservations_teamrules r
        JOIN reservations_teamrules_pools allowed ON allowed.teamrules_id = r.id
        JOIN inventory_pool p ON p.id = allowed.pool_id
        WHERE r.team_id = %(team)s
    ),
    (SELECT version FROM reservations_teamledger WHERE team_id = %(team)s),
    price.minor_units_per_unit_hour,
    price.currency
FROM (SELECT) AS one LEFT JOIN (
    SELECT minor_units_per_unit_hour, currency FROM reservations_unitprice
    WHERE pool_id = %(pool)s AND resource_name = %(resource_name)s AND valid_from <= %(at)s
    ORDER BY valid_from DESC, id DESC LIMIT 1
) AS price ON true
"""


def standing_rules(*, pool: Pool, team: Team, resource_name: str, at: datetime) -> Standing:
    """Return the rules, and the price at ``at``, in one query."""
    asked: dict[str, Any] = {
        "pool": pool.pk,
        "team": team.pk,
        "resource_name": resource_name,
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, asked)
        of_pool, of_team, allowed, version, price_minor, currency = cursor.fetchone()
    return Standing(
        rules=_rules(json.loads(of_pool or "{}"), json.loads(of_team or "{}"), allowed, pool, team),
        price_minor=price_minor or 0,
        currency=currency or default_currency(),
        ledger_version=version or 0,
    )


@dataclass(frozen=True, slots=True)
class Centre:
    """A cost centre whose budget refuses bookings: its ``teams`` (keys) spend it together.

    ``ledger_version`` is the sum of the versions of their ledgers.
    """

    name: str
    budget_minor: int
    teams: tuple[int, ...]
    ledger_version: int


# Budgets of cost centres are tokenomics' tables.  That package stands above this one, and so is
# asked by name: it writes them, and here they are one more limit.
_CENTRE: Final = """
WITH latest AS (
    SELECT budget.amount_minor, budget.blocks FROM tokenomics_costcentrebudget budget
    JOIN tokenomics_costcentre centre ON centre.id = budget.cost_centre_id
    WHERE centre.code = %(code)s AND budget.valid_from <= %(day)s
    ORDER BY budget.valid_from DESC, budget.id DESC LIMIT 1
)
SELECT latest.amount_minor, array_agg(team.id ORDER BY team.id), coalesce(sum(version), 0)::bigint
FROM latest JOIN accounts_team team ON team.cost_centre = %(code)s
LEFT JOIN reservations_teamledger ledger ON ledger.team_id = team.id
WHERE latest.blocks AND latest.amount_minor IS NOT NULL GROUP BY 1
"""


def centre_of(team: Team, *, at: datetime) -> Centre | None:
    """Return the cost centre of ``team``, if it has a budget that refuses bookings at ``at``."""
    if not team.cost_centre:
        return None
    asked: dict[str, Any] = {"code": team.cost_centre, "day": at.astimezone(UTC).date()}
    with connection.cursor() as cursor:
        cursor.execute(_CENTRE, asked)
        row = cursor.fetchone()
    if row is None:
        return None
    budget_minor, teams, version = row
    return Centre(team.cost_centre, budget_minor, tuple(teams), version)


def pool_rules(pool: Pool) -> PoolRules:
    """Return the rules of ``pool``; empty ones, not saved, where there are none."""
    return PoolRules.objects.filter(pool=pool).first() or PoolRules(pool=pool)


def team_rules(team: Team) -> tuple[TeamRules, list[Pool]]:
    """Return the limits of ``team`` (empty, not saved, where there are none) and its pools."""
    rules = TeamRules.objects.filter(team=team).first()
    return (rules, list(rules.pools.all())) if rules else (TeamRules(team=team), [])


def prices_of(pool: Pool) -> QuerySet[UnitPrice]:
    """Return every price of ``pool``, by type, the latest first."""
    return UnitPrice.objects.filter(pool=pool).select_related("set_by")


def current_prices(pool: Pool, *, now: datetime) -> QuerySet[UnitPrice]:
    """Return the price of each type of ``pool`` that stands at ``now``."""
    begun = prices_of(pool).filter(valid_from__lte=now)
    return begun.order_by("resource_name", "-valid_from", "-pk").distinct("resource_name")


@dataclass(frozen=True, slots=True)
class Attendance:
    """What a pool says of workspaces that nobody uses; None: nothing."""

    no_show: timedelta | None = None
    idle: timedelta | None = None
    pause: timedelta | None = None
    release: timedelta | None = None


def attendance_rules(cluster: Cluster) -> dict[int, Attendance]:
    """Return what the pools of ``cluster`` say of workspaces that nobody uses, by pool."""

    def minutes(number: int | None) -> timedelta | None:
        return None if number is None else timedelta(minutes=number)

    rows = PoolRules.objects.filter(pool__cluster=cluster).values_list(
        "pool_id", "no_show_minutes", "idle_minutes", "idle_pause_minutes", "idle_release_minutes"
    )
    return {pool: Attendance(*map(minutes, numbers)) for pool, *numbers in rows}


@dataclass(frozen=True, slots=True)
class Used:
    """What a team has used of its limits: this month's money, this week's hours, units now.

    ``no_shows`` are this month's bookings that were given back because nobody came.
    Of ``spent_minor``, ``actual_minor`` is for time that has passed; the rest is committed.
    """

    month: Window
    spent_minor: int
    actual_minor: int
    week: Window
    gpu_hours: Fraction
    units_now: int
    no_shows: int


def used_by(team: Team, *, now: datetime) -> Used:
    """Return what ``team`` uses: committed and actual of the month and the ISO week, UTC."""
    moment = Window(now, now + timedelta(microseconds=1))
    month, week = next(policy.months_of(moment)), next(policy.weeks_of(moment, zone=UTC))
    since = min(month.starts_at, week.starts_at)
    usage = usage_of(team=team, pool=Pool(), since=since, with_shares=True)
    return Used(
        month=month,
        spent_minor=policy.spent_in(month, usage),
        actual_minor=policy.actual_in(month, usage, now=now),
        week=week,
        gpu_hours=policy.hours_in(week, usage),
        units_now=sum(booked.units for booked in usage if booked.window.overlaps(moment)),
        no_shows=no_shows(team, within=month),
    )


def ledgers_not_told(*, at_most: int) -> list[TeamLedger]:
    """Return ledgers that moved since their managers were told, of teams that have a budget."""
    moved = TeamLedger.objects.filter(told_version__lt=F("version"))
    return list(
        moved.exclude(team__rules__budget_minor=None)
        .select_related("team__rules")
        .order_by("pk")[:at_most]
    )


def spent_by_month(team: Team, *, now: datetime) -> dict[Window, int]:
    """Return what ``team`` spends in the month of ``now`` and in those after it, minor units."""
    month = next(policy.months_of(Window(now, now + timedelta(microseconds=1))))
    usage = usage_of(team=team, pool=Pool(), since=month.starts_at, with_shares=False)
    end = max((booked.window.ends_at for booked in usage), default=month.ends_at)
    months = policy.months_of(Window(month.starts_at, max(end, month.ends_at)))
    return {each: policy.spent_in(each, usage) for each in months}


def no_shows(team: Team, *, within: Window) -> int:
    """Return how many bookings that began ``within`` were given back because nobody came."""
    return Reservation.objects.filter(
        team=team,
        is_no_show=True,
        starts_at__gte=within.starts_at,
        starts_at__lt=within.ends_at,
    ).count()


def share_of(*, pool: Pool, resource_name: str) -> Fraction:
    """Return which part of a physical GPU one unit is: the largest, where devices differ."""
    devices = inventory.bookable_devices(pool).filter(resource_name=resource_name)
    shares = devices.order_by().values_list("compute_share", flat=True).distinct()
    return max((Fraction(share) for share in shares), default=Fraction(1))


def usage_of(
    *, team: Team, pool: Pool, since: datetime, with_shares: bool, besides: int | None = None
) -> policy.Usage:
    """Return what ``team`` holds, or held, from ``since`` on, wherever it is.

    ``besides`` is the reservation that does not stand against itself.

    What ended early counts until then, with its part of the cost.  What never began counts for
    nothing, and neither does what failed: that is the platform's fault.  What waits in line holds
    nothing.
    """
    found = usage_by_team(
        teams=(team.pk,), pool=pool, since=since, with_shares=with_shares, besides=besides
    )
    return found.get(team.pk, ())


def usage_by_team(
    *,
    teams: Collection[int],
    pool: Pool,
    since: datetime,
    with_shares: bool,
    besides: int | None = None,
) -> dict[int, policy.Usage]:
    """Return `usage_of` each of ``teams`` (keys) that has some, in a query or two."""
    rows = (
        Reservation.objects.filter(team__in=teams)
        .exclude(pk__in=[] if besides is None else [besides])
        .ending_after(since)
        .exclude(state__in=[lifecycle.State.FAILED.value, lifecycle.State.WAITLISTED.value])
        .filter(Q(released_at=None) | Q(released_at__gt=F("starts_at")))
        .order_by("starts_at", "pk")
        .values_list(
            "team_id",
            "pool_id",
            "resource_name",
            "units",
            "starts_at",
            "ends_at",
            "released_at",
            "cost_minor",
        )
    )
    found = list(rows)
    shares = inventory.compute_shares() if with_shares and found else {}
    usage: defaultdict[int, list[policy.Booked]] = defaultdict(list)
    for team, pool_id, resource_name, units, starts_at, ends_at, released_at, cost_minor in found:
        booked, held = Window(starts_at, ends_at), Window(starts_at, released_at or ends_at)
        usage[team].append(
            policy.Booked(
                window=held,
                units=units,
                is_here=pool_id == pool.pk,
                share=shares.get((pool_id, resource_name), Fraction(1)),
                cost_minor=policy.held_cost(cost_minor, booked=booked, held=held),
            )
        )
    return {team: tuple(booked) for team, booked in usage.items()}


def _rules(
    of_pool: Mapping[str, Any],
    of_team: Mapping[str, Any],
    allowed: list[str],
    pool: Pool,
    team: Team,
) -> policy.Rules:
    quiet = None
    if of_pool.get("quiet_from") is not None:
        quiet = policy.QuietHours(
            time.fromisoformat(of_pool["quiet_from"]), time.fromisoformat(of_pool["quiet_until"])
        )
    zone = of_pool.get("time_zone", "UTC")
    return policy.Rules(
        pool=_limits(policy.Source.POOL, str(pool), of_pool, quiet),
        team=_limits(policy.Source.TEAM, str(team), of_team, None),
        zone=UTC if zone == "UTC" else ZoneInfo(zone),
        allowed_pools=frozenset(allowed),
        managers_may_approve=of_pool.get("managers_may_approve", False),
    )


def _limits(
    source: policy.Source, name: str, row: Mapping[str, Any], quiet: policy.QuietHours | None
) -> policy.Limits:
    def length(field: str, **of: int) -> timedelta | None:
        return None if row.get(field) is None else row[field] * timedelta(**of)

    return policy.Limits(
        source=source,
        name=name,
        shortest=length("shortest_minutes", minutes=1),
        longest=length("longest_minutes", minutes=1),
        horizon=length("horizon_days", days=1),
        lead_time=length("lead_time_minutes", minutes=1),
        cool_down=length("cool_down_minutes", minutes=1),
        quiet=quiet,
        concurrent_units=row.get("concurrent_units"),
        gpu_hours_per_week=row.get("gpu_hours_per_week"),
        budget_minor=row.get("budget_minor"),
        approval_above_units=row.get("approval_above_units"),
        approval_above=length("approval_above_minutes", minutes=1),
        approval_above_cost_minor=row.get("approval_above_cost_minor"),
    )
