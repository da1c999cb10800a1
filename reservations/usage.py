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
from django.db.models import Q, QuerySet

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.inventory import selectors as inventory
from reservations import lifecycle, selectors
from reservations.capacity import Window
from reservations.models import Reservation, ReservationQuerySet

KEYS: Final = ("day", "team", "person")
_COLUMNS: Final = (
    "team_id",
    "requested_by_id",
    "pool_id",
    "resource_name",
    "currency",
    "units",
    "cost_minor",
    "is_no_show",
    "was_idle",
    "starts_at",
    "ends_at",
    "released_at",
)
LONGEST: Final = timedelta(days=92)
_NOT_COUNTED: Final = [
    state.value for state in (*lifecycle.IS_NO_BOOKING_YET, lifecycle.State.FAILED)
]
_HOUR: Final = timedelta(hours=1)
_MOMENT: Final = timedelta(microseconds=1)
# The part of a cost that is due at an instant grows along the window and is rounded half up.
_DUE: Final = """CASE
    WHEN {at} <= starts_at THEN 0 WHEN {at} >= held_until THEN cost ELSE floor(
        cost * date_part('epoch', {at} - starts_at) / date_part('epoch', held_until - starts_at)
        + 0.5
    )
END"""
# The days that a booking touches, or the whole period.
_EACH_DAY: Final = """
    SELECT day, greatest(day, %s) AS since, least(day + interval '1 day', %s) AS until
    FROM generate_series(
        date_trunc('day', greatest(starts_at, %s), 'UTC'),
        least(ends_at, %s) - interval '1 microsecond', interval '1 day'
    ) AS day
"""
_WHOLE: Final = "SELECT %s::timestamptz AS since, %s::timestamptz AS until"
_SQL: Final = """
WITH booked AS (
    SELECT *, coalesce(released_at, ends_at) AS held_until,
        CASE WHEN coalesce(released_at, ends_at) = ends_at THEN cost_minor ELSE floor((
            2 * cost_minor * floor(date_part('epoch', released_at - starts_at))
            + date_part('epoch', ends_at - starts_at)
        ) / (2 * date_part('epoch', ends_at - starts_at))) END AS cost
    FROM ({visible}) AS visible
), part AS (
    SELECT *,
        least(ends_at, until) - greatest(starts_at, since) AS booked_for,
        greatest(starts_at, since) AS held_from,
        greatest(least(held_until, until), greatest(starts_at, since)) AS held_to,
        greatest(least(held_until, until, %s), greatest(starts_at, since)) AS used_to
    FROM booked CROSS JOIN LATERAL ({period}) AS period
    WHERE held_until > starts_at
)
SELECT {names} currency, pool_id, resource_name, count(*) AS bookings,
    count(*) FILTER (WHERE is_no_show AND starts_at >= since) AS no_shows,
    ARRAY[
        sum(units * booked_for),
        sum(units * (used_to - held_from)),
        sum(units * (booked_for - (held_to - held_from))),
        coalesce(
            sum(units * (booked_for - (held_to - held_from))) FILTER (WHERE is_no_show OR was_idle),
            interval '0'
        )
    ] AS unit_hours,
    ARRAY[sum({due_to} - {due_from}), sum({due_used} - {due_from})] AS costs
FROM part
GROUP BY {keys} currency, pool_id, resource_name
"""
# By key: what is grouped by, and what it is called.  A name is looked up once a group.
_GROUPS: Final = {
    "day": ("day", "to_char(day AT TIME ZONE 'UTC', 'YYYY-MM-DD')"),
    "team": ("team_id", "(SELECT slug FROM accounts_team WHERE id = team_id)"),
    "person": (
        "requested_by_id",
        "(SELECT username FROM accounts_user WHERE id = requested_by_id)",
    ),
}


@dataclass(slots=True)
class Usage:
    """What the bookings of one group take of a period.  GPU-hours are of whole physical GPUs.

    ``group`` has what it is of, by the names of `KEYS`; a day is written 2030-01-07.  Reclaimed is
    the part of what was given back that nobody came for, or used any more.
    """

    group: dict[str, str]
    currency: str
    bookings: int = 0
    booked_gpu_hours: Fraction = field(default_factory=Fraction)
    used_gpu_hours: Fraction = field(default_factory=Fraction)
    given_back_gpu_hours: Fraction = field(default_factory=Fraction)
    reclaimed_gpu_hours: Fraction = field(default_factory=Fraction)
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


def of_team(
    team: Team, *, within: Window, now: datetime, by: Collection[str] = ("team",)
) -> list[Usage]:
    """Return what all bookings of ``team`` take of ``within``: one row a currency, or a group."""
    return grouped(Reservation.objects.filter(team=team), by=by, within=within, now=now)


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
        booked, used, back, reclaimed = (_in_hours(each) * share for each in hours)
        row.booked_gpu_hours += booked
        row.used_gpu_hours += used
        row.given_back_gpu_hours += back
        row.reclaimed_gpu_hours += reclaimed
        row.cost_minor += int(costs[0])
        row.used_cost_minor += int(costs[1])
    return [found[key] for key in sorted(found)]


def _rows(
    bookings: QuerySet[Reservation], *, by: Collection[str], within: Window, now: datetime
) -> list[tuple[Any, ...]]:
    counted = ReservationQuerySet.overlapping(bookings, within)  # type: ignore[arg-type]
    visible = counted.exclude(state__in=_NOT_COUNTED).order_by().values(*_COLUMNS)
    values: Any
    sql, values = visible.query.get_compiler(connection=connection).as_sql()
    since, until = within.starts_at, within.ends_at
    by_day = "day" in by
    text = _SQL.format(
        visible=sql,
        period=_EACH_DAY if by_day else _WHOLE,
        keys="".join(f"{_GROUPS[key][0]}, " for key in KEYS if key in by),
        names="".join(f"{_GROUPS[key][1]}, " for key in KEYS if key in by),
        due_from=_DUE.format(at="held_from"),
        due_to=_DUE.format(at="held_to"),
        due_used=_DUE.format(at="used_to"),
    )
    period = [since, until] * (2 if by_day else 1)
    with connection.cursor() as cursor:
        cursor.execute(text, [*values, now, *period])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _in_hours(length: timedelta) -> Fraction:
    return Fraction(length // _MOMENT, _HOUR // _MOMENT)


@dataclass(frozen=True, slots=True)
class Held:
    """What a booking that began held of one device in a period; times in ms since the epoch."""

    reservation: int
    device: int
    team: int
    person: int
    purpose: str
    has_failed: bool
    created_at: datetime
    since_ms: int
    until_ms: int


_HELD: Final = """
SELECT r.id, hold.device_id, r.team_id, r.requested_by_id, r.purpose, r.state = 'FAILED',
    r.created_at, since_ms, until_ms
FROM reservations_devicehold hold
JOIN reservations_reservation r ON r.id = hold.reservation_id
CROSS JOIN LATERAL (SELECT
    floor(extract(epoch FROM greatest(lower(hold.during), %(since)s)) * 1000)::bigint AS since_ms,
    floor(extract(epoch FROM least(upper(hold.during), %(until)s)) * 1000)::bigint AS until_ms
) AS part
WHERE hold.during && tstzrange(%(since)s, %(until)s)
    AND r.state NOT IN ('WAITLISTED', 'PENDING') AND until_ms > since_ms
ORDER BY since_ms, r.id, hold.device_id
"""


def held_within(within: Window) -> list[Held]:
    """Return what bookings held of devices ``within``, failed ones too, in order of time."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, {"since": within.starts_at, "until": within.ends_at})
        return [Held(*row) for row in cursor.fetchall()]
