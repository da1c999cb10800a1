"""What was used: by booking and hour, by day, and how much of a booking's time was seen."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import QuerySet, Sum

from gpuaas.accounts.models import Team
from reservations.capacity import Window
from tokenomics.models.meters import FinalReading, MeterSpan
from tokenomics.models.usage import GpuEntry, GpuHour, UsageDay, UsageEntry, UsageHour

if TYPE_CHECKING:
    from reservations.models import Reservation

_MS_PER_HOUR: Final = 3_600_000
_ZERO: Final = timedelta()
# Entries summed anew against what was added up; one row for each sum that differs.
_DIFFERENCES: Final = """
WITH anew AS (
    SELECT reservation_id, model, hour, charged_month, is_reading,
        sum(coalesce(prompt_computed, 0)) AS prompt_computed,
        sum(coalesce(prompt_cached, 0)) AS prompt_cached,
        sum(coalesce(generated, 0)) AS generated,
        sum(coalesce(requests, 0)) AS requests, count(*) AS entries
    FROM tokenomics_usageentry WHERE charged_month = %(month)s GROUP BY 1, 2, 3, 4, 5
), hours AS (
    SELECT reservation_id, model, hour FROM anew FULL JOIN (
        SELECT * FROM tokenomics_usagehour WHERE charged_month = %(month)s
    ) AS kept USING (reservation_id, model, hour, charged_month, is_reading)
    WHERE (anew.prompt_computed, anew.prompt_cached, anew.generated, anew.requests, anew.entries)
    IS DISTINCT FROM
        (kept.prompt_computed, kept.prompt_cached, kept.generated, kept.requests, kept.entries)
), by_day AS (
    SELECT team_id, pool_id, model, (hour AT TIME ZONE 'UTC')::date AS day, is_reading,
        sum(prompt_computed + prompt_cached + generated) AS tokens, sum(entries) AS entries
    FROM tokenomics_usagehour WHERE charged_month = %(month)s GROUP BY 1, 2, 3, 4, 5
), days AS (
    SELECT model, day FROM by_day FULL JOIN (
        SELECT *, prompt_computed + prompt_cached + generated AS tokens
        FROM tokenomics_usageday WHERE charged_month = %(month)s
    ) AS kept USING (team_id, pool_id, model, day, is_reading)
    WHERE (by_day.tokens, by_day.entries) IS DISTINCT FROM (kept.tokens, kept.entries)
)
SELECT 'hour', model, hour::text FROM hours UNION ALL SELECT 'day', model, day::text FROM days
ORDER BY 1, 2, 3
"""


def usage_by_booking_and_hour(month: date) -> QuerySet[UsageHour]:
    """Return the tokens that count in ``month`` (its first day), by booking, model and hour.

    Late entries of earlier hours are among them.  ``is_reading`` tells counters from events:
    where a booking has both they are two views of the same tokens, never to be added.
    """
    return UsageHour.objects.filter(charged_month=month).order_by("reservation", "hour", "model")


def usage_by_day(month: date) -> QuerySet[UsageDay]:
    """Return the tokens that count in ``month``, by team, pool, model and day."""
    return UsageDay.objects.filter(charged_month=month).order_by("team", "pool", "model", "day")


def gpu_by_booking_and_hour(month: date) -> QuerySet[GpuHour]:
    """Return what GPUs did that counts in ``month``; without a reservation: what was idle."""
    return GpuHour.objects.filter(charged_month=month).order_by("reservation", "hour", "gpu_uuid")


@dataclass(frozen=True, slots=True)
class GpuTime:
    """How long GPUs and slices were watched, in hours, and how much of that they worked.

    ``active_ratio`` is from 0 to 1, None where nothing was told.
    """

    seen_hours: Fraction
    active_ratio: Fraction | None


def gpu_time_of(team: Team, *, within: Window) -> GpuTime:
    """Return what the GPUs did that bookings of ``team`` held ``within``, in whole hours, UTC."""
    sums = GpuHour.objects.filter(
        reservation__team=team,
        hour__gte=within.starts_at,
        hour__lt=within.ends_at,
        # Months are of the company's time zone, and late entries go to later ones.
        charged_month__gte=(within.starts_at - timedelta(days=1)).date().replace(day=1),
    ).aggregate(seen=Sum("active_seen_ms"), active=Sum("active_ms"))
    seen, active = sums["seen"] or 0, sums["active"] or 0
    return GpuTime(Fraction(seen, _MS_PER_HOUR), Fraction(active, seen) if seen else None)


def entries_of(reservation: "Reservation") -> QuerySet[UsageEntry]:
    """Return the entries of the ledger that a booking's tokens are the sum of, in order of time."""
    return UsageEntry.objects.filter(reservation=reservation).order_by("ended_at", "pk")


def gpu_entries_of(reservation: "Reservation") -> QuerySet[GpuEntry]:
    """Return the entries of the ledger that a booking's GPU work is the sum of."""
    return GpuEntry.objects.filter(reservation=reservation).order_by("ended_at", "pk")


def made_tokens_since(since: datetime, reservations: Iterable[int]) -> set[int]:
    """Return those of ``reservations`` for which the ledger has tokens since ``since``."""
    found = UsageEntry.objects.filter(
        reservation__in=list(reservations),
        hour__gte=since - timedelta(hours=1),
        ended_at__gt=since,
    )
    return set(found.values_list("reservation", flat=True))


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a booking's time its engines were read.

    ``gaps`` are the stretches in which they were not; ``final`` is what came of the last reading,
    None before it: empty when it went well, else what was wrong.
    """

    seen: timedelta
    of: timedelta
    gaps: tuple[tuple[datetime, datetime], ...]
    final: str | None

    @property
    def ratio(self) -> Fraction | None:
        """From 0 to 1; None for no time at all."""
        return Fraction(self.seen // _MS, self.of // _MS) if self.of >= _MS else None


_MS: Final = timedelta(milliseconds=1)


def coverage_of(reservation: "Reservation", *, now: datetime) -> Coverage:
    """Return how much of the booking's time, as far as it has passed, was seen."""
    return coverages_of([reservation], now=now)[reservation.pk]


def coverages_of(reservations: Iterable["Reservation"], *, now: datetime) -> dict[int, Coverage]:
    """Return the coverage of each booking, by its key, in two queries."""
    wanted = {each.pk: each for each in reservations}
    spans: dict[int, list[tuple[datetime, datetime]]] = {key: [] for key in wanted}
    for span in MeterSpan.objects.filter(reservation__in=wanted).order_by("since"):
        spans[span.reservation_id].append((span.since, span.until))
    finals = dict(
        FinalReading.objects.filter(reservation__in=wanted).values_list("reservation", "problem")
    )
    return {
        key: _coverage(
            each.starts_at,
            max(each.starts_at, min(each.released_at or each.ends_at, now)),
            spans[key],
            finals.get(key),
        )
        for key, each in wanted.items()
    }


def differences(month: date) -> list[tuple[str, str, str]]:
    """Return what is summed by hour or day otherwise than the ledger says; nothing, if all is well.

    Each is "hour" or "day", the model, and which hour or day.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, {"month": month})
        return [(kind, model, when) for kind, model, when in cursor.fetchall()]


def _coverage(
    since: datetime, until: datetime, spans: list[tuple[datetime, datetime]], final: str | None
) -> Coverage:
    gaps: list[tuple[datetime, datetime]] = []
    seen, at = _ZERO, since
    for first, last in _within(spans, since, until):
        if first > at:
            gaps.append((at, first))
        seen += max(last - max(first, at), _ZERO)
        at = max(at, last)
    if until > at:
        gaps.append((at, until))
    return Coverage(seen, until - since, tuple(gaps), final)


def _within(spans: Any, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    for first, last in spans:
        if last > since and first < until:
            yield max(first, since), min(last, until)
