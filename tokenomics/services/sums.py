"""What reports read of a month: the cost of bookings by model, with their tokens."""

from typing import Any, Final

from django.db import connection, transaction

from tokenomics.core.lines import LineKind
from tokenomics.models.costs import CostPeriod
from tokenomics.models.sums import CostByModel

# Readings and events are two views of the same tokens, and both can only miss some: for each
# booking and model the one that saw more counts.  A booking's amount is split by the tokens that
# its models processed, each part rounded along the way, so that the parts add up to it.
_REFRESH: Final = """
WITH seen AS (
    SELECT reservation_id, model, team_id, pool_id, is_reading, sum(prompt_computed) AS computed,
        sum(prompt_cached) AS cached, sum(generated) AS generated, sum(requests) AS requests
    FROM tokenomics_usagehour WHERE charged_month = %(month)s GROUP BY 1, 2, 3, 4, 5
), tokens AS (
    SELECT DISTINCT ON (reservation_id, model) * FROM seen
    ORDER BY reservation_id, model, computed + cached + generated DESC, is_reading
), booking AS (
    SELECT reservation_id, cost_centre, team_id, user_id, pool_id, purpose,
        sum(amount_minor) AS amount
    FROM tokenomics_costline
    WHERE period_id = %(period)s AND kind = ANY(%(kinds)s) AND reservation_id IS NOT NULL
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
    SELECT booking.cost_centre, coalesce(booking.team_id, part.team_id) AS team_id,
        booking.user_id, coalesce(booking.pool_id, part.pool_id) AS pool_id, booking.purpose,
        part.model, part.computed, part.cached, part.generated, part.requests,
        CASE WHEN part.model IS NULL THEN booking.amount
            ELSE (CASE WHEN part.is_last THEN booking.amount ELSE round(booking.amount * part.until)
                END) - round(booking.amount * (part.until - part.share)) END AS amount
    FROM booking FULL JOIN part USING (reservation_id)
)
INSERT INTO tokenomics_costbymodel (period_id, cost_centre, team_id, user_id, pool_id, purpose,
    model, amount_minor, prompt_computed, prompt_cached, generated, requests)
SELECT %(period)s, coalesce(cost_centre, ''), team_id, user_id, pool_id, coalesce(purpose, ''),
    coalesce(model, ''), coalesce(sum(amount), 0), coalesce(sum(computed), 0),
    coalesce(sum(cached), 0), coalesce(sum(generated), 0), coalesce(sum(requests), 0)
FROM found GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
_OF_BOOKINGS: Final = [LineKind.BOOKED_USED.value, LineKind.BOOKED_UNUSED.value]


def refresh(period: CostPeriod) -> None:
    """Add up the cost of a month by model anew, from its lines and the tokens that count in it.

    It belongs into the transaction that replaces the lines.  The database refuses it for a closed
    month.
    """
    with transaction.atomic():
        CostByModel.objects.filter(period=period).delete()
        with connection.cursor() as cursor:
            asked: dict[str, Any] = {
                "period": period.pk,
                "month": period.month,
                "kinds": _OF_BOOKINGS,
            }
            cursor.execute(_REFRESH, asked)
