"""Calculating a month: what it costs, and the lines that pay it, all of them anew."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import connection, transaction

from gpuaas.accounts.models import Team, User
from gpuaas.core.errors import DomainError
from gpuaas.core.money import digits_of
from gpuaas.inventory.models import Device, Node, Pool
from reservations import usage as reservations
from reservations.capacity import Window
from tokenomics import documents
from tokenomics.core.capacity import Span
from tokenomics.core.lines import Category, LineKind
from tokenomics.core.month import (
    Booked,
    Line,
    Place,
    PoolMonth,
    hourly_load,
    hours_with,
    pool_month,
)
from tokenomics.core.months import hours_between
from tokenomics.core.portions import (
    Installed,
    MonthCost,
    NoPrice,
    Portion,
    month_cost,
    rate_of,
)
from tokenomics.core.sheet import Sheet
from tokenomics.models import (
    CostAdjustment,
    CostLine,
    CostPeriod,
    CostPool,
    CostSheet,
    IdlePolicy,
    PeriodState,
)
from tokenomics.selectors import capacity as selectors
from tokenomics.selectors import costs
from tokenomics.services import past, sums

_COLUMNS: Final = (
    "period_id",
    "number",
    "kind",
    "currency",
    "amounts",
    "amount_minor",
    "cost_centre",
    "team_id",
    "user_id",
    "purpose",
    "pool_id",
    "node_id",
    "device_id",
    "resource_name",
    "reservation_id",
    "starts_at",
    "ends_at",
    "device_ms",
    "gpu_ns",
    "is_measured",
    "reason",
)
_MS: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CannotCalculate(DomainError):
    """Something that has to be paid has no price; nothing was calculated."""

    code: ClassVar[str] = "cannot_calculate"


class PeriodClosed(DomainError):
    """The month is closed: it stays as it is."""

    code: ClassVar[str] = "period_closed"


def calculate(period: CostPeriod, *, now: datetime) -> CostPeriod:
    """Calculate the month anew, as far as it has passed, with the last cost sheet.

    Raises `PeriodClosed` or `CannotCalculate`; the latter leaves the lines as they were and is kept
    with the period.
    """
    past.follow(now=now)
    try:
        with transaction.atomic():
            locked = lock(period)
            if locked.state == PeriodState.CLOSED:
                raise PeriodClosed(f"{locked} is closed since {locked.closed_at:%Y-%m-%d %H:%M}")
            write(locked, now=now)
    except CannotCalculate as error:
        CostPeriod.objects.filter(pk=period.pk).update(problem=str(error))
        raise
    return locked


def lock(period: CostPeriod) -> CostPeriod:
    """Return the period as it is, and keep everybody else from changing it until the commit."""
    return CostPeriod.objects.select_for_update().get(pk=period.pk)


def write(period: CostPeriod, *, now: datetime) -> None:
    """Replace every line and pool of ``period``, which the caller has locked."""
    sheet, version = _sheet()
    hour = now.replace(minute=0, second=0, microsecond=0)
    until = max(min(period.ends_at, hour), period.starts_at)
    within = Window(period.starts_at, until)
    pools = {each.pk: each for each in Pool.objects.order_by("slug")}
    months = list(_pool_months(within, set(pools))) if until > period.starts_at else []
    try:
        cost = _cost(sheet, period, within, months, pools)
        by_pool, lines = _lines(sheet, period, cost, months, pools)
    except NoPrice as error:
        raise CannotCalculate(f"{period}: {error}") from error
    _replace(period, by_pool, lines, pools)
    period.sheet = version
    period.calculated_at, period.calculated_until, period.problem = now, until, ""
    period.summary = _summary(cost, months, pools)
    period.names = _names()
    period.save()
    sums.refresh(period)


def _sheet() -> tuple[Sheet, CostSheet]:
    version = costs.sheets().first()
    if version is None:
        raise CannotCalculate("nobody has entered a cost sheet: enter one first")
    return documents.sheet_from(version.document), version


def _pool_months(within: Window, pools: set[int]) -> Iterator[PoolMonth]:
    """Return who takes the capacity of each pool."""
    span = (_ms(within.starts_at), _ms(within.ends_at))
    there = selectors.devices_within(within)
    by_pool: defaultdict[int, list[Place]] = defaultdict(list)
    for each in there.values():
        by_pool[each.pool].append(
            Place(each.node, each.resource_name, each.knows_gpu, each.presence)
        )
    booked: defaultdict[int, list[Booked]] = defaultdict(list)
    for booking in _bookings(within, there.keys()):
        booked[there[next(iter(booking.held))].pool].append(booking)
    for pool in pools:
        if by_pool[pool]:
            yield pool_month(
                pool, by_pool[pool], booked[pool], span, platform=settings.PLATFORM_COST_CENTRE
            )


def _bookings(within: Window, devices: Iterable[int]) -> Iterator[Booked]:
    known = set(devices)
    activity = selectors.activity_within(within)
    centres = selectors.cost_centres_of_teams()
    held: dict[int, dict[int, list[Span]]] = {}
    first: dict[int, reservations.Held] = {}
    for each in reservations.held_within(within):
        if each.device in known:
            spans = held.setdefault(each.reservation, {}).setdefault(each.device, [])
            spans.append((each.since_ms, each.until_ms))
            first.setdefault(each.reservation, each)
    for key, spans_by_device in held.items():
        one, seen = first[key], activity.get(key, selectors.Activity(0, 0, 0))
        yield Booked(
            key=key,
            cost_centre=selectors.cost_centre_at(centres.get(one.team, ()), one.created_at),
            team=one.team,
            person=one.person,
            purpose=one.purpose,
            has_failed=one.has_failed,
            held=spans_by_device,
            active_ms=seen.active_ms,
            seen_ms=seen.seen_ms,
            measured_ms=seen.measured_ms,
        )


def _cost(
    sheet: Sheet,
    period: CostPeriod,
    within: Window,
    months: list[PoolMonth],
    pools: dict[int, Pool],
) -> MonthCost:
    measured = selectors.energy_within(within) if months else {}
    hours = list(hours_between(within.starts_at, within.ends_at))
    installed = [
        Installed(
            pool=pools[each.pool].slug,
            servers=each.servers,
            gpus=each.gpus,
            hours=hours_with(
                measured.get(each.pool, {}),
                dict(zip(hours, hourly_load(each.load, [_ms(at) for at in hours]), strict=True)),
            ),
        )
        for each in months
    ]
    month = costs.month_of(period)
    return month_cost(sheet, month, within.ends_at, installed, digits=digits_of(period.currency))


def _lines(
    sheet: Sheet,
    period: CostPeriod,
    cost: MonthCost,
    months: list[PoolMonth],
    pools: dict[int, Pool],
) -> tuple[dict[int, list[Portion]], list[Line]]:
    """Return what each pool has to pay, and the lines that pay it."""
    keys = {each.slug: key for key, each in pools.items()}
    by_pool: defaultdict[int, list[Portion]] = defaultdict(list)
    for portion in cost.portions:
        by_pool[keys[portion.pool]].append(portion)
    there = {each.pool: each for each in months}
    lines: list[Line] = []
    for key, pool in pools.items():
        if key in there or by_pool[key]:
            month = there.get(key) or PoolMonth(key, 0, 0, [], [])
            lines += month.lines(
                by_pool[key],
                platform=settings.PLATFORM_COST_CENTRE,
                spread_idle=period.idle_policy == IdlePolicy.SPREAD,
                minor_per_gpu_hour=_rate(sheet, period, pool.slug),
            )
    return dict(by_pool), lines


def _rate(sheet: Sheet, period: CostPeriod, pool: str) -> Fraction | None:
    if period.idle_policy != IdlePolicy.STANDARD_RATE:
        return None
    rate = rate_of(sheet, pool, costs.month_of(period))
    if rate is None:
        raise NoPrice(f"rates: there is none for {pool}, and the month charges by standard rates")
    return rate * int(10 ** digits_of(period.currency))


def _replace(
    period: CostPeriod,
    by_pool: dict[int, list[Portion]],
    lines: list[Line],
    pools: dict[int, Pool],
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tokenomics_costline WHERE period_id = %s", [period.pk])
    CostPool.objects.filter(period=period).delete()
    CostPool.objects.bulk_create(
        CostPool(
            period=period,
            pool=pools[pool],
            category=portion.category,
            amount_minor=portion.amount_minor,
            made_of=list(portion.made_of),
        )
        for pool, portions in by_pool.items()
        for portion in portions
    )
    copy = f"COPY tokenomics_costline ({', '.join(_COLUMNS)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(copy) as to:
        for number, line in enumerate(lines, start=1):
            to.write_row(_row(period, number, line))
    approved = CostAdjustment.objects.filter(period=period, approved_at__isnull=False)
    for number, each in enumerate(approved.order_by("pk"), start=len(lines) + 1):
        entered_line(each, number=number).save(force_insert=True)


def _row(period: CostPeriod, number: int, line: Line) -> tuple[Any, ...]:
    booking, span = line.booking, line.span
    return (
        period.pk,
        number,
        line.kind.value,
        period.currency,
        json.dumps(line.amounts),
        sum(line.amounts.values()),
        line.cost_centre,
        booking.team if booking else None,
        booking.person if booking else None,
        booking.purpose if booking else "",
        line.pool,
        line.node,
        line.device,
        line.resource_name,
        booking.key if booking else None,
        _instant(span[0]) if span else None,
        _instant(span[1]) if span else None,
        line.device_ms,
        line.gpu_ns,
        line.is_measured,
        line.reason,
    )


def entered_line(adjustment: CostAdjustment, *, number: int) -> CostLine:
    """Return the line of an approved adjustment, not saved."""
    kind = LineKind.CORRECTION if adjustment.corrects else LineKind.ADJUSTMENT
    return CostLine(
        period=adjustment.period,
        number=number,
        kind=kind.value,
        currency=adjustment.currency,
        amounts={adjustment.category: adjustment.amount_minor},
        amount_minor=adjustment.amount_minor,
        cost_centre=adjustment.cost_centre,
        team=adjustment.team,
        corrects=adjustment.corrects,
        reason=adjustment.reason,
        adjustment=adjustment,
    )


def _summary(cost: MonthCost, months: list[PoolMonth], pools: dict[int, Pool]) -> dict[str, Any]:
    return {
        "total_minor": cost.total_minor,
        "calendar_ns": sum(each.hours.calendar for each in months),
        "pools": {
            pools[each.pool].slug: {
                "servers": each.servers,
                "gpus": each.gpus,
                "gpu_ns": asdict(each.hours),
                **_energy(cost, pools[each.pool].slug),
            }
            for each in months
        },
    }


def _energy(cost: MonthCost, pool: str) -> dict[str, Any]:
    energy = cost.energy.get(pool)
    if energy is None:
        return {}
    percent = round(float(energy.measured_ratio * 100), 1)
    kind = {0.0: "nameplate", 100.0: "measured"}.get(percent, "mixed")
    kwh = round(float(energy.kwh), 3)
    return {Category.POWER.value: {"kwh": kwh, "measured_percent": percent, "source": kind}}


def _names() -> dict[str, dict[str, str]]:
    """Return what everything is called now that a line can name."""
    nodes = {str(each.pk): each.name for each in Node.objects.all()}
    devices = Device.objects.select_related("node")
    return {
        "teams": _named(Team.objects.values_list("pk", "slug")),
        "users": _named(User.objects.values_list("pk", "username")),
        "pools": _named(Pool.objects.values_list("pk", "slug")),
        "nodes": nodes,
        "devices": {str(each.pk): str(each) for each in devices},
    }


def _named(pairs: Iterable[tuple[int, str]]) -> dict[str, str]:
    return {str(key): name for key, name in pairs}


def _ms(instant: datetime) -> int:
    return (instant - _EPOCH) // _MS


@lru_cache(maxsize=10_000)
def _instant(ms: int) -> str:
    """Return an instant as PostgreSQL reads it; many bookings share theirs."""
    return (_EPOCH + ms * _MS).isoformat()
