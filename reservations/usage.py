"""GPU-hours and money, by team, person and day: what was booked, used and given back.

Booked is the whole window of what began; given back is what came back before its end; used is the
rest, as far as it has passed.  A cost is rounded along its window, so that the parts of a booking
in any days, weeks or months add up to it exactly.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from django.db import connection
from django.db.models import F, Q, QuerySet

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.inventory import selectors as inventory
from reservations import lifecycle, selectors
from reservations.capacity import Window
from reservations.models import Reservation, ReservationQuerySet

KEYS: Final = ("day", "team", "person")
LONGEST: Final = timedelta(days=92)
_NOT_COUNTED: Final = [
    state.value for state in (*lifecycle.IS_NO_BOOKING_YET, lifecycle.State.FAILED)
]
_HOUR: Final = timedelta(hours=1)
_MOMENT: Final = timedelta(microseconds=1)
# The part of a cost that is due at an instant grows along the window and is rounded half up.
_DUE: Final = """CASE
    WHEN {at} <= starts_at THEN 0 WHEN {at} >= held_until THEN cost ELSE floor(
        cost * extract(epoch FROM {at} - starts_at) / extract(epoch FROM held_until - starts_at)
        + 0.5
    )
END"""
_SQL: Final = """
WITH period AS MATERIALIZED (
    SELECT to_char(day AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, greatest(day, %s) AS since,
        least(day + %s * interval '1 second', %s) AS until
    FROM generate_series(%s::timestamptz, %s, %s * interval '1 second') AS day
), booked AS (
    SELECT *, coalesce(released_at, ends_at) AS held_until,
        CASE WHEN coalesce(released_at, ends_at) = ends_at THEN cost_minor ELSE floor((
            2 * cost_minor * floor(extract(epoch FROM released_at - starts_at))
            + extract(epoch FROM ends_at - starts_at)
        ) / (2 * extract(epoch FROM ends_at - starts_at))) END AS cost
    FROM ({visible}) AS visible
), part AS (
    SELECT day, team_slug AS team, username AS person, pool_id, resource_name, currency, units,
        starts_at, held_until, cost,
        (is_no_show AND starts_at >= since)::int AS no_shows,
        least(ends_at, until) - greatest(starts_at, since) AS booked_for,
        greatest(starts_at, since) AS held_from,
        greatest(least(held_until, until), greatest(starts_at, since)) AS held_to,
        greatest(least(held_until, until, %s), greatest(starts_at, since)) AS used_to
    FROM booked
    JOIN period ON starts_at < until AND ends_at > since
)
SELECT {keys} currency, pool_id, resource_name, count(*) AS bookings, sum(no_shows) AS no_shows,
    ARRAY[
        sum(units * booked_for),
        sum(units * (used_to - held_from)),
        sum(units * (booked_for - (held_to - held_from)))
    ] AS unit_hours,
    ARRAY[sum({due_to} - {due_from}), sum({due_used} - {due_from})] AS costs
FROM part
WHERE held_until > starts_at
GROUP BY {keys} currency, pool_id, resource_name
"""


@dataclass(slots=True)
class Usage:
    """What the bookings of one group take of a period.  GPU-hours are of whole physical GPUs.

    ``group`` has what it is of, by the names of `KEYS`; a day is written 2030-01-07.
    """

    group: dict[str, str]
    currency: str
    bookings: int = 0
    booked_gpu_hours: Fraction = field(default_factory=Fraction)
    used_gpu_hours: Fraction = field(default_factory=Fraction)
    given_back_gpu_hours: Fraction = field(default_factory=Fraction)
    cost_minor: int = 0
    used_cost_minor: int = 0
    no_shows: int = 0


def bookings_accounted_to(user: User, *, now: datetime) -> QuerySet[Reservation]:
    """Return what ``user`` may see the usage of.

    Finance and platform administrators see everybody's, managers their teams', others their own.
    """
    visible = selectors.reservations_visible_to(user, now=now).select_related(None)
    if accounts.sees_every_team(user):
        return visible
    managed = accounts.teams_managed_by(user, now=now).values("pk")
    return visible.filter(Q(requested_by=user) | Q(team__in=managed))


def grouped(
    bookings: QuerySet[Reservation], *, by: Collection[str], within: Window, now: datetime
) -> list[Usage]:
    """Return what ``bookings`` take of ``within``, by some of `KEYS`, in two queries.

    A day is one of UTC.  Amounts of different currencies are never added: they are two rows.
    """
    names = [key for key in KEYS if key in by]
    found: dict[tuple[str, ...], Usage] = {}
    shares, rows = inventory.compute_shares(), _rows(bookings, by=by, within=within, now=now)
    for *key, currency, pool_id, resource_name, number, missed, hours, costs in rows:
        row = found.setdefault(
            (*key, currency), Usage(dict(zip(names, key, strict=True)), currency)
        )
        share = shares.get((pool_id, resource_name), Fraction(1))
        row.bookings += number
        row.no_shows += missed
        booked, used, back = (_in_hours(each) * share for each in hours)
        row.booked_gpu_hours += booked
        row.used_gpu_hours += used
        row.given_back_gpu_hours += back
        row.cost_minor += int(costs[0])
        row.used_cost_minor += int(costs[1])
    return [found[key] for key in sorted(found)]


def _rows(
    bookings: QuerySet[Reservation], *, by: Collection[str], within: Window, now: datetime
) -> list[tuple[Any, ...]]:
    counted = ReservationQuerySet.overlapping(bookings, within)  # type: ignore[arg-type]
    visible = (
        counted.exclude(state__in=_NOT_COUNTED)
        .order_by()
        .values(
            "pool_id",
            "resource_name",
            "currency",
            "units",
            "cost_minor",
            "is_no_show",
            "starts_at",
            "ends_at",
            "released_at",
            team_slug=F("team__slug"),
            username=F("requested_by__username"),
        )
    )
    # The planner is told by `overlapping` where to look; the periods are cut out of what it finds.
    values: Any
    sql, values = visible.query.get_compiler(connection=connection).as_sql()
    length = timedelta(days=1) if "day" in by else within.length
    begin = _midnight(within.starts_at) if "day" in by else within.starts_at
    seconds = length.total_seconds()
    last = within.ends_at - timedelta(microseconds=1)
    text = _SQL.format(
        visible=sql,
        keys="".join(f"{key}, " for key in KEYS if key in by),
        due_from=_DUE.format(at="held_from"),
        due_to=_DUE.format(at="held_to"),
        due_used=_DUE.format(at="used_to"),
    )
    period: list[Any] = [within.starts_at, seconds, within.ends_at, begin, last, seconds]
    with connection.cursor() as cursor:
        cursor.execute(text, [*period, *values, now])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _in_hours(length: timedelta) -> Fraction:
    return Fraction(length // _MOMENT, _HOUR // _MOMENT)


def _midnight(instant: datetime) -> datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)
