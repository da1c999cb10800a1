"""Lines of a month as plain data, piece by piece, and the tokens that their bookings processed."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.db import connection
from django.db.models import F, Min, QuerySet

from tokenomics.core.groups import BookingTokens
from tokenomics.core.lines import LineKind, StatementLine
from tokenomics.core.per_million import Tokens
from tokenomics.models.costs import CostLine, CostPeriod

AT_ONCE: Final = 2_000
_BOOKED: Final = [LineKind.BOOKED_USED.value, LineKind.BOOKED_UNUSED.value]
# What a line names: the column with its key, and under what the month keeps names.
_NAMED: Final = {
    "team": ("team_id", "teams"),
    "user": ("user_id", "users"),
    "pool": ("pool_id", "pools"),
    "node": ("node_id", "nodes"),
    "device": ("device_id", "devices"),
}
_PLAIN: Final = (
    *("number", "kind", "currency", "amounts", "amount_minor", "cost_centre", "purpose"),
    *("resource_name", "starts_at", "ends_at", "device_ms", "gpu_ns", "is_measured"),
    *("corrects", "reason"),
)
# Readings and events are two views of the same tokens: counters saw all that an engine did, events
# stand in where there are none.  A booking's amount is split by the tokens that its models
# processed, each part rounded along the way, so that the parts add up to it.
TOKENS_BY_BOOKING: Final = """
WITH seen AS (
    SELECT reservation_id, model, team_id, pool_id, is_reading, sum(prompt_computed) AS computed,
        sum(prompt_cached) AS cached, sum(generated) AS generated, sum(requests) AS requests
    FROM tokenomics_usagehour WHERE charged_month = %(month)s {only} GROUP BY 1, 2, 3, 4, 5
), tokens AS (
    SELECT DISTINCT ON (reservation_id, model) * FROM seen
    ORDER BY reservation_id, model, is_reading DESC
), booking AS (
    SELECT reservation_id, cost_centre, team_id, user_id, pool_id, purpose,
        sum(amount_minor) AS amount
    FROM tokenomics_costline
    WHERE period_id = %(period)s AND kind = ANY(%(kinds)s) AND reservation_id IS NOT NULL {only}
    GROUP BY 1, 2, 3, 4, 5, 6
), whole AS (
    SELECT reservation_id, sum(computed + generated) AS processed, count(*) AS models
    FROM tokens WHERE computed + cached + generated > 0 GROUP BY 1
), share AS (
    SELECT tokens.*, CASE WHEN processed > 0 THEN (computed + generated) / processed
        ELSE 1.0 / models END AS share
    FROM tokens JOIN whole USING (reservation_id) WHERE computed + cached + generated > 0
), part AS (
    SELECT *, sum(share) OVER (PARTITION BY reservation_id ORDER BY model) AS until,
        row_number() OVER (PARTITION BY reservation_id ORDER BY model) = models AS is_last
    FROM share JOIN whole USING (reservation_id)
), found AS (
    SELECT reservation_id, booking.cost_centre, coalesce(booking.team_id, part.team_id) AS team_id,
        booking.user_id, coalesce(booking.pool_id, part.pool_id) AS pool_id, booking.purpose,
        part.model, part.computed, part.cached, part.generated, part.requests,
        CASE WHEN part.model IS NULL THEN booking.amount
            ELSE (CASE WHEN part.is_last THEN booking.amount ELSE round(booking.amount * part.until)
                END) - round(booking.amount * (part.until - part.share)) END AS amount
    FROM booking FULL JOIN part USING (reservation_id)
)
"""
_ONLY: Final = "AND reservation_id = ANY(%(reservations)s)"
_OF_SOME: Final = TOKENS_BY_BOOKING.format(only=_ONLY) + (  # noqa: S608 -- of constants
    "SELECT reservation_id, model, computed, cached, generated, coalesce(amount, 0) FROM found "
    "WHERE model IS NOT NULL ORDER BY reservation_id, model"
)


def asked_of(period: CostPeriod) -> dict[str, Any]:
    """Return what `TOKENS_BY_BOOKING` asks for."""
    return {"period": period.pk, "month": period.month, "kinds": _BOOKED}


def in_pieces(
    period: CostPeriod, lines: QuerySet[CostLine], *, at_once: int = AT_ONCE
) -> Iterator[list[StatementLine]]:
    """Return ``lines`` of ``period`` in their order, ``at_once`` of them at a time.

    Each piece is a query of its own from where the last one ended, so a long month holds neither
    memory nor a transaction.
    """
    chosen = lines.filter(period=period).order_by("number")
    last = 0
    while piece := _piece(period, chosen.filter(number__gt=last)[:at_once]):
        yield piece
        last = piece[-1].number


def tokens_of(period: CostPeriod, reservation_ids: Iterable[int]) -> dict[int, list[BookingTokens]]:
    """Return what each booking's models processed, and what of its cost each bears."""
    asked = {**asked_of(period), "reservations": list(reservation_ids)}
    found: dict[int, list[BookingTokens]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_OF_SOME, asked)
        for reservation_id, model, *tokens, amount in cursor.fetchall():
            each = BookingTokens(model, Tokens(*map(int, tokens)), int(amount))
            found.setdefault(reservation_id, []).append(each)
    return found


def tokens_beside(
    period: CostPeriod, piece: Iterable[StatementLine]
) -> Iterator[tuple[StatementLine, BookingTokens]]:
    """Return the tokens of the bookings whose first line is in ``piece``, beside that line."""
    by_number = {line.number: line for line in piece if line.kind in _BOOKED and line.reservation}
    named = CostLine.objects.filter(period=period, number__in=list(by_number))
    ids = list(named.order_by().values_list("reservation", flat=True).distinct())
    whole = CostLine.objects.filter(period=period, kind__in=_BOOKED, reservation__in=ids)
    firsts = whole.order_by().values_list("reservation").annotate(first=Min("number"))
    first_of = {pk: number for pk, number in firsts if number in by_number}
    for reservation_id, each in tokens_of(period, first_of).items():
        for tokens in each:
            yield by_number[first_of[reservation_id]], tokens


def _piece(period: CostPeriod, rows: QuerySet[CostLine]) -> list[StatementLine]:
    keys = (column for column, _ in _NAMED.values())
    found = rows.values(
        *(*_PLAIN, *keys),
        public_id=F("reservation__public_id"),
        approver_id=F("adjustment__approved_by_id"),
        approver=F("adjustment__approved_by__username"),
    )
    return [_line(period, row) for row in found]


def _line(period: CostPeriod, row: dict[str, Any]) -> StatementLine:
    def name(kept: str, key: int | None, otherwise: str | None = None) -> str:
        """Return what it was called when the month was calculated, or else what is at hand."""
        if key is None:
            return ""
        return str(period.names.get(kept, {}).get(str(key), otherwise or key))

    named: dict[str, Any] = {
        each: name(kept, row.pop(column)) for each, (column, kept) in _NAMED.items()
    }
    approved_by = name("users", row.pop("approver_id"), row.pop("approver"))
    return StatementLine(
        period=period.month,
        kind=LineKind(row.pop("kind")),
        reservation=str(row.pop("public_id") or ""),
        approved_by=approved_by,
        **row,
        **named,
    )
