"""What a month cost, by any dimension, for whom it may be shown to.

Finance and platform administrators see all money, managers that of their teams' bookings, others
that of their own bookings.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.inventory.models import Pool
from tokenomics.core.groups import NO_TOKENS, BookingTokens, Group
from tokenomics.core.lines import LineKind, StatementLine
from tokenomics.core.per_million import Tokens
from tokenomics.models.costs import CostLine, CostPeriod, PeriodState
from tokenomics.models.sums import CostByModel
from tokenomics.models.usage import GpuHour, UsageEntry, UsageHour
from tokenomics.selectors.lines import in_pieces, tokens_of
from tokenomics.selectors.usage import Coverage, coverage_of

DIMENSIONS: Final = ("cost_centre", "team", "project", "user", "pool", "model", "reservation")
NO_MODEL: Final = "(no tokens)"
_PARTS: Final = ("used_minor", "unused_minor", "idle_minor", "other_minor")
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
}
_SUM: Final = {**_LINE, "model": "model"}
# How a filter's value names what it is about.
_LOOKUPS: Final = {
    "cost_centre": "cost_centre",
    "team": "team__slug",
    "project": "purpose",
    "user": "user__username",
    "pool": "pool__slug",
}
MOST_BOOKINGS: Final = 500
MONTHS_OF_A_TREND: Final = 6
MOST_READINGS: Final = 50
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
    `NO_MODEL`; what is no booking is in no model.  Of bookings there are the `MOST_BOOKINGS`
    dearest.
    """
    filters = filters or {}
    if by == "reservation":
        return _bookings(period, narrowed(period, lines_visible_to(user, now=now), filters))
    sums = _sums(period, by, sums_visible_to(user, now=now), filters)
    if by == "model":
        return _named(period, by, sums.values())
    lines = narrowed(period, lines_visible_to(user, now=now), filters)
    groups = _groups(lines, _LINE[by])
    for key, tokens in sums.items():
        found = groups.setdefault(key, Group(key=key, name=""))
        groups[key] = replace(found, tokens=tokens.tokens, covered_minor=tokens.covered_minor)
    return _named(period, by, groups.values())


def by_team_pool_and_model(
    period: CostPeriod, *, user: User | None, now: datetime
) -> list[tuple[str, str, str, int, Tokens]]:
    """Return cost and tokens of each team in each pool with each model: slugs and minor units."""
    sums = sums_visible_to(user, now=now).filter(period=period).order_by()
    rows = list(
        sums.values_list("team_id", "pool_id", "model").annotate(
            amount=Sum("amount_minor"),
            computed=Sum("prompt_computed"),
            cached=Sum("prompt_cached"),
            made=Sum("generated"),
        )
    )
    teams = dict(Team.objects.values_list("pk", "slug"))
    pools = dict(Pool.objects.values_list("pk", "slug"))
    teams |= {int(key): name for key, name in _kept(period, "team").items()}
    pools |= {int(key): name for key, name in _kept(period, "pool").items()}
    return sorted(
        (
            (
                teams.get(team, ""),
                pools.get(pool, ""),
                model,
                int(amount),
                Tokens(*map(int, tokens)),
            )
            for team, pool, model, amount, *tokens in rows
        ),
        key=lambda row: row[:3],
    )


def trend(
    period: CostPeriod, *, user: User | None, now: datetime
) -> list[tuple[str, dict[str, int]]]:
    """Return what ``user`` may see of ``period`` and the months before it, the earliest first."""
    before = CostPeriod.objects.filter(month__lte=period.month, currency=period.currency)
    months = {each.pk: str(each) for each in before.order_by("-month")[:MONTHS_OF_A_TREND]}
    lines = lines_visible_to(user, now=now).filter(period__in=months)
    groups = _groups(lines, "period_id")
    empty = Group("", "")
    return [
        (name, {part: getattr(groups.get(str(pk), empty), part) for part in _PARTS})
        for pk, name in sorted(months.items(), key=lambda month: month[1])
    ]


def totals(periods: Iterable[CostPeriod], *, user: User | None, now: datetime) -> dict[int, int]:
    """Return what ``user`` may see of each of ``periods``, by its key."""
    lines = lines_visible_to(user, now=now).filter(period__in=list(periods))
    found = lines.order_by().values_list("period_id").annotate(total=Sum("amount_minor"))
    return dict(found)


@dataclass(frozen=True, slots=True)
class BookingCost:
    """What a booking costs in a month, and what that is made of.

    ``readings`` are the last of the ledger, ``gpus`` what each device did; both of this month.
    """

    public_id: str
    lines: list[StatementLine]
    models: list[BookingTokens]
    coverage: Coverage
    readings: list[UsageEntry]
    reading_count: int
    gpus: list[dict[str, Any]]

    @property
    def total_minor(self) -> int:
        return sum(line.amount_minor for line in self.lines)


def booking_cost(
    period: CostPeriod, public_id: UUID, *, user: User, now: datetime
) -> BookingCost | None:
    """Return what a booking costs in ``period``; None where ``user`` may see nothing of it."""
    visible = lines_visible_to(user, now=now).filter(
        period=period, reservation__public_id=public_id
    )
    first = visible.select_related("reservation").order_by("number").first()
    if first is None or first.reservation is None:
        return None
    reservation = first.reservation
    lines = [line for piece in in_pieces(period, visible) for line in piece]
    entries = UsageEntry.objects.filter(reservation=reservation, charged_month=period.month)
    hours = GpuHour.objects.filter(reservation=reservation, charged_month=period.month)
    sums = ("seen_ms", "active_ms", "active_seen_ms", "energy_mj", "measured_ms")
    return BookingCost(
        public_id=str(public_id),
        lines=lines,
        models=tokens_of(period, [reservation.pk]).get(reservation.pk, []),
        coverage=coverage_of(reservation, now=now),
        readings=list(entries.order_by("-ended_at", "-pk")[:MOST_READINGS]),
        reading_count=entries.count(),
        gpus=[
            dict(row)
            for row in hours.order_by("gpu_uuid", "instance")
            .values("gpu_uuid", "instance")
            .annotate(**{f"total_{name}": Sum(name) for name in sums})
        ],
    )


def readings_of(period: CostPeriod, public_id: UUID) -> QuerySet[UsageEntry]:
    """Return the entries of a booking that count in ``period``; `booking_cost` tells who may."""
    return UsageEntry.objects.filter(reservation__public_id=public_id, charged_month=period.month)


def _where(by: Filters) -> dict[str, str]:
    return {_LOOKUPS[name]: value for name, value in by.items() if name in _LOOKUPS}


def _groups(lines: QuerySet[CostLine], column: str) -> dict[str, Group]:
    found = (
        lines.order_by()
        .values_list(column)
        .annotate(
            used=_amount([LineKind.BOOKED_USED]),
            unused=_amount([LineKind.BOOKED_UNUSED]),
            idle=_amount(_IDLE),
            other=_amount(_OTHER),
            total=Sum("amount_minor"),
            device_time=Sum("device_ms"),
            gpu_time=Sum("gpu_ns"),
            bookings=Count("reservation", distinct=True),
        )
    )
    return {_key(key): _group(_key(key), figures) for key, *figures in found}


def _bookings(period: CostPeriod, lines: QuerySet[CostLine]) -> list[Group]:
    dearest = (
        lines.filter(reservation__isnull=False)
        .values("reservation_id", "reservation__public_id", "purpose", "user__username")
        .annotate(
            used=_amount([LineKind.BOOKED_USED]),
            unused=_amount([LineKind.BOOKED_UNUSED]),
            other=_amount(_OTHER),
            total=Sum("amount_minor"),
            device_time=Sum("device_ms"),
            gpu_time=Sum("gpu_ns"),
        )
        .order_by("-total", "reservation_id")[:MOST_BOOKINGS]
    )
    rows: list[dict[str, Any]] = [dict(row) for row in dearest]
    tokens = tokens_of(period, [row["reservation_id"] for row in rows])
    return [_booking(row, tokens.get(row["reservation_id"], [])) for row in rows]


def _booking(row: dict[str, Any], tokens: list[BookingTokens]) -> Group:
    whose = row["user__username"] or "somebody"
    return Group(
        key=str(row["reservation__public_id"]),
        name=f"{row['purpose'] or 'Booking'} ({whose})",
        used_minor=row["used"],
        unused_minor=row["unused"],
        other_minor=row["other"],
        total_minor=row["total"],
        device_ms=row["device_time"],
        gpu_ns=row["gpu_time"],
        bookings=1,
        tokens=sum((each.tokens for each in tokens), NO_TOKENS),
        covered_minor=sum(each.amount_minor for each in tokens),
    )


def _amount(kinds: Iterable[LineKind]) -> Coalesce:
    chosen = Q(kind__in=[kind.value for kind in kinds])
    return Coalesce(Sum("amount_minor", filter=chosen), 0)


def _group(key: str, figures: Iterable[Any]) -> Group:
    used, unused, idle, other, total, device_ms, gpu_ns, bookings = map(int, figures)
    return Group(key, "", used, unused, idle, other, total, device_ms, gpu_ns, bookings)


def _sums(
    period: CostPeriod, by: str, sums: QuerySet[CostByModel], filters: Filters
) -> dict[str, Group]:
    """Return tokens, and what the lines with tokens cost, of each group; by model all of it."""
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


def _kept(period: CostPeriod, by: str) -> dict[str, str]:
    """Return what rows were called when the month was closed; nothing before that."""
    names: dict[str, str] = period.names.get(f"{by}s", {})
    return names if period.state == PeriodState.CLOSED else {}


def _named(period: CostPeriod, by: str, groups: Iterable[Group]) -> list[Group]:
    found = list(groups)
    if by in _NAMES:
        names, kept = _NAMES[by], _kept(period, by)
        rows = names.rows.in_bulk([int(g.key) for g in found if g.key])
        found = [
            replace(
                group,
                key=getattr(row, names.key),
                name=kept.get(group.key) or names.name(row),
            )
            if (row := rows.get(int(group.key or 0)))
            else replace(group, key="", name="(none)")
            for group in found
        ]
    else:
        found = [replace(group, name=group.key or _NAMELESS.get(by, "(none)")) for group in found]
    return sorted(found, key=lambda group: (-group.total_minor, group.name))
