"""What reports read of a month: the cost of bookings by model, with their tokens."""

from typing import Final

from django.db import connection, transaction

from tokenomics.models.costs import CostPeriod
from tokenomics.models.sums import CostByModel
from tokenomics.selectors import lines

_REFRESH: Final = (
    lines.TOKENS_BY_BOOKING.format(only="")
    + """
INSERT INTO tokenomics_costbymodel (period_id, cost_centre, team_id, user_id, pool_id, purpose,
    model, amount_minor, prompt_computed, prompt_cached, generated, requests)
SELECT %(period)s, coalesce(cost_centre, ''), team_id, user_id, pool_id, coalesce(purpose, ''),
    coalesce(model, ''), coalesce(sum(amount), 0), coalesce(sum(computed), 0),
    coalesce(sum(cached), 0), coalesce(sum(generated), 0), coalesce(sum(requests), 0)
FROM found GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
)


def refresh(period: CostPeriod) -> None:
    """Add up the cost of a month by model anew, from its lines and the tokens that count in it.

    It belongs into the transaction that replaces the lines.  The database refuses it for a closed
    month.
    """
    with transaction.atomic():
        CostByModel.objects.filter(period=period).delete()
        with connection.cursor() as cursor:
            cursor.execute(_REFRESH, lines.asked_of(period))
