"""What a month cost, by any dimension, for whom it may be shown to.

Finance and platform administrators see all money, managers that of their teams' bookings, others
that of their own bookings.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.inventory.models import Pool
from tokenomics.core.groups import Group
from tokenomics.core.lines import LineKind
from tokenomics.core.unit_costs import Tokens
from tokenomics.models.costs import CostLine, CostPeriod
from tokenomics.models.sums import CostByModel
from tokenomics.models.usage import UsageHour

DIMENSIONS: Final = ("cost_centre", "team", "project", "user", "pool", "model", "reservation")
NO_MODEL: Final = "(no tokens)"
_BOOKED: Final = (LineKind.BOOKED_USED, LineKind.BOOKED_UNUSED)
_THEIRS: Final = (*_BOOKED, LineKind.ADJUSTMENT, LineKind.CORRECTION)
_IDLE: Final = (LineKind.IDLE, LineKind.STRANDED)
_OTHER: Final = tuple(kind for kind in LineKind if kind not in {*_BOOKED, *_IDLE})
# By dimension: the column of a line, and that of the sums by model, which may have none.
_LINE: Final = {
    "cost_centre": "cost_centre",
    "team": "team_id",
    "project": "purpose",
    "user": "user_id",
    "pool": "pool_id",
    "reservation": "reservation_id",
}
_SUM: Final = {**_LINE, "model": "model"}
del _SUM["reservation"]
# How a filter's value names what it is about.
_LOOKUPS: Final = {
    "cost_centre": "cost_centre",
    "team": "team__slug",
    "project": "purpose",
    "user": "user__username",
    "pool": "pool__slug",
    "reservation": "reservation__public_id",
}
Filters = Mapping[str, str]
M = TypeVar("M", CostLine, CostByModel)


def periods() -> QuerySet[CostPeriod]:
    """Return the months there are, the last first; what is in them is shown by who asks."""
    return CostPeriod.objects.select_related("sheet", "soft_closed_by", "closed_by")


def sees_all_money(user: User) -> bool:
    """Return whether nobody's cost is hidden from ``user``."""
    return accounts.sees_every_team(user)


def lines_visible_to(user: User | None, *, now: datetime) -> QuerySet[CostLine]:
    """Return the lines whose cost ``user`` may see; None is the operator, at the console."""
    lines = CostLine.objects.all()
    if user is None or sees_all_money(user):
        return lines
    return _of_tenant(lines, user, now=now).filter(kind__in=[kind.value for kind in _THEIRS])


def sums_visible_to(user: User | None, *, now: datetime) -> QuerySet[CostByModel]:
    """Return the sums by model of the bookings whose cost ``user`` may see."""
    sums = CostByModel.objects.all()
    if user is None or sees_all_money(user):
        return sums
    return _of_tenant(sums, user, now=now)


def _of_tenant(rows: QuerySet[M], user: User, *, now: datetime) -> QuerySet[M]:
    if not user.is_active:
        return rows.none()
    managed = accounts.teams_managed_by(user, now=now).values("pk")
    return rows.filter(Q(user=user) | Q(team__in=managed))


def narrowed(period: CostPeriod, lines: QuerySet[CostLine], by: Filters) -> QuerySet[CostLine]:
    """Return the lines of ``period`` that every filter takes; a model's are its bookings'."""
    lines = lines.filter(period=period, **_where(by))
    if model := by.get("model"):
        of_model = UsageHour.objects.filter(charged_month=period.month, model=model)
        lines = lines.filter(reservation__in=of_model.values("reservation"))
    return lines


def grouped(
    period: CostPeriod, *, by: str, user: User | None, now: datetime, filters: Filters | None = None
) -> list[Group]:
    """Return what ``user`` may see of ``period`` by one of `DIMENSIONS`, the dearest first.

    At most four queries.  By model there are amounts of bookings with tokens only, and the rest as
    `NO_MODEL`; what is no booking is in no model.  Groups of reservations have no tokens here:
    `with_tokens` looks them up for those that are shown.
    """
    filters = filters or {}
    sums = _sums(period, by, sums_visible_to(user, now=now), filters)
    if by == "model":
        return _named(by, sums.values())
    lines = narrowed(period, lines_visible_to(user, now=now), filters)
    groups = _groups(lines, _LINE[by])
    for key, tokens in sums.items():
        found = groups.setdefault(key, Group(key=key, name=""))
        groups[key] = replace(found, tokens=tokens.tokens, covered_minor=tokens.covered_minor)
    return _named(by, groups.values())


def _where(by: Filters) -> dict[str, str]:
    return {_LOOKUPS[name]: value for name, value in by.items() if name in _LOOKUPS}


def _groups(lines: QuerySet[CostLine], column: str) -> dict[str, Group]:
    def amount(kinds: Iterable[LineKind]) -> Coalesce:
        chosen = Q(kind__in=[kind.value for kind in kinds])
        return Coalesce(Sum("amount_minor", filter=chosen), 0)

    found = (
        lines.order_by()
        .values_list(column)
        .annotate(
            used=amount([LineKind.BOOKED_USED]),
            unused=amount([LineKind.BOOKED_UNUSED]),
            idle=amount(_IDLE),
            other=amount(_OTHER),
            total=Sum("amount_minor"),
            device_time=Sum("device_ms"),
            gpu_time=Sum("gpu_ns"),
            bookings=Count("reservation", distinct=True),
        )
    )
    return {_key(key): _group(_key(key), figures) for key, *figures in found}


def _group(key: str, figures: Iterable[Any]) -> Group:
    used, unused, idle, other, total, device_ms, gpu_ns, bookings = map(int, figures)
    return Group(key, "", used, unused, idle, other, total, device_ms, gpu_ns, bookings)


def _sums(
    period: CostPeriod, by: str, sums: QuerySet[CostByModel], filters: Filters
) -> dict[str, Group]:
    """Return tokens, and what the lines with tokens cost, of each group; by model all of it."""
    if by == "reservation" or "reservation" in filters:
        return {}
    chosen = sums.filter(period=period, **_where(filters))
    if model := filters.get("model"):
        chosen = chosen.filter(model=model)
    found = (
        chosen.order_by()
        .values_list(_SUM[by])
        .annotate(
            amount=Sum("amount_minor"),
            covered=Coalesce(Sum("amount_minor", filter=~Q(model="")), 0),
            computed=Sum("prompt_computed"),
            cached=Sum("prompt_cached"),
            made=Sum("generated"),
        )
    )
    none = dict.fromkeys(
        ("used_minor", "unused_minor", "idle_minor", "other_minor", "device_ms", "gpu_ns"), None
    )
    return {
        _key(key): Group(
            key=_key(key),
            name="",
            total_minor=int(amount),
            covered_minor=int(covered),
            tokens=Tokens(*map(int, tokens)),
            bookings=None,
            **none,
        )
        for key, amount, covered, *tokens in found
    }


def _key(value: object) -> str:
    return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class _Names:
    """How rows of a table are called: by a key that stands in addresses, and by a name."""

    rows: Any
    key: str
    name: Callable[[Any], str]


_NAMES: Final = {
    "team": _Names(Team.objects, "slug", lambda team: team.name),
    "user": _Names(User.objects, "username", lambda user: user.get_full_name() or user.username),
    "pool": _Names(Pool.objects, "slug", lambda pool: pool.name),
}
_NAMELESS: Final = {"cost_centre": "(no cost centre)", "model": NO_MODEL}


def _named(by: str, groups: Iterable[Group]) -> list[Group]:
    found = list(groups)
    if by in _NAMES:
        names = _NAMES[by]
        rows = names.rows.in_bulk([int(g.key) for g in found if g.key])
        found = [
            replace(group, key=getattr(row, names.key), name=names.name(row))
            if (row := rows.get(int(group.key or 0)))
            else replace(group, key="", name="(none)")
            for group in found
        ]
    else:
        found = [replace(group, name=group.key or _NAMELESS.get(by, "(none)")) for group in found]
    return sorted(found, key=lambda group: (-group.total_minor, group.name))
