"""What a million tokens cost in a month: by booking, model, team, pool and what else lines have."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from django.db import connection

from gpuaas.core.money import digits_of
from tokenomics.core.per_million import PerMillion, Spent, Tokens, Worth, by_model, per_million
from tokenomics.models import CostPeriod

KEYS: Final = ("cost_centre", "team", "purpose", "pool", "reservation", "model")
_COST: Final = """
SELECT reservation_id, sum(amount_minor)::bigint, min(cost_centre), min(team_id), min(purpose),
    min(pool_id)
FROM tokenomics_costline
WHERE period_id = %(period)s AND reservation_id IS NOT NULL AND kind <> 'failed'
GROUP BY 1 ORDER BY 1
"""
# Counters saw all that an engine did: events stand in where there are none.
_TOKENS: Final = """
SELECT DISTINCT ON (reservation_id, model) reservation_id, model,
    sum(prompt_computed)::bigint, sum(prompt_cached)::bigint, sum(generated)::bigint
FROM tokenomics_usagehour WHERE charged_month = %(month)s
GROUP BY reservation_id, model, is_reading
ORDER BY reservation_id, model, is_reading DESC
"""


@dataclass(frozen=True, slots=True)
class Group:
    """What the tokens of one group cost; ``name`` is what the group is of."""

    name: str
    per_million: PerMillion


def cost_per_million(
    period: CostPeriod, *, by: str | None = None, worth: Worth | None = None
) -> list[Group]:
    """Return what a million tokens cost in the month, by one of `KEYS`; by none: all of it.

    What the platform pays itself is in no figure.  A booking's cost is split over its models by
    what they processed; a booking without tokens stands under the empty model.
    """
    groups: defaultdict[str, list[Spent]] = defaultdict(list)
    for name, spent in _spent(period, by):
        groups[name].append(spent)
    digits = digits_of(period.currency)
    if by is None:
        groups.setdefault("", [])
    return [
        Group(name, per_million(spent, digits=digits, worth=worth))
        for name, spent in sorted(groups.items())
    ]


def _spent(period: CostPeriod, by: str | None) -> Iterator[tuple[str, Spent]]:
    models: defaultdict[int, dict[str, Tokens]] = defaultdict(dict)
    known = {"period": period.pk, "month": period.month}
    for booking, model, *figures in _rows(_TOKENS, known):
        models[booking][model] = Tokens(*figures)
    for booking, cost, centre, team, purpose, pool in _rows(_COST, known):
        of = models.get(booking, {})
        if by == "model":
            yield from by_model(cost, of or {"": Tokens()}).items()
            continue
        names = {
            None: "",
            "cost_centre": centre,
            "team": _name(period, "teams", team),
            "purpose": purpose,
            "pool": _name(period, "pools", pool),
            "reservation": str(booking),
        }
        yield names[by], Spent(Fraction(cost), sum(of.values(), Tokens()))


def _name(period: CostPeriod, kind: str, key: int) -> str:
    return str(period.names.get(kind, {}).get(str(key), key))


def _rows(sql: str, known: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, known)
        return list(cursor.fetchall())
