"""The one way into the ledgers of usage, and the sums by hour and day that go with them."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final, TypeVar

from django.db import transaction

from gpuaas.audit import services as audit
from gpuaas.core import locks
from gpuaas.core.errors import DomainError
from tokenomics.core.ledger import GpuUsage, Usage, charged_month, hour_of
from tokenomics.selectors import costs
from tokenomics.services import bulk

_PATIENCE: Final = timedelta(seconds=30)
AT_ONCE: Final = 10_000
"""So many rows go into one transaction at the most: what holds locks stays short."""

_OF_LEDGER: Final = {
    "source": "text",
    "event_id": "text",
    "digest": "bytea",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
    "arrived_at": "timestamptz",
    "hour": "timestamptz",
    "charged_month": "date",
}
_USAGE: Final = {
    **_OF_LEDGER,
    "reservation_id": "bigint",
    "team_id": "bigint",
    "pool_id": "bigint",
    "is_reading": "boolean",
    "engine": "text",
    "model": "text",
    "prompt_computed": "bigint",
    "prompt_cached": "bigint",
    "generated": "bigint",
    "requests": "bigint",
    "evidence": "jsonb",
}
_GPU: Final = {
    **_OF_LEDGER,
    "cluster_id": "bigint",
    "node": "text",
    "gpu_uuid": "text",
    "instance": "text",
    "reservation_id": "bigint",
    "seen_ms": "bigint",
    "active_ms": "bigint",
    "energy_mj": "bigint",
}
_TOKENS: Final = dict.fromkeys(
    ("prompt_computed", "prompt_cached", "generated", "requests", "entries"), "bigint"
)
_HOUR_KEYS: Final = {
    "reservation_id": "bigint",
    "model": "text",
    "hour": "timestamptz",
    "charged_month": "date",
    "is_reading": "boolean",
}
_HOUR_CARRIED: Final = {"team_id": "bigint", "pool_id": "bigint"}
_DAY_KEYS: Final = {
    "charged_month": "date",
    "team_id": "bigint",
    "pool_id": "bigint",
    "model": "text",
    "day": "date",
    "is_reading": "boolean",
}
_GPU_KEYS: Final = {
    "reservation_id": "bigint",
    "gpu_uuid": "text",
    "instance": "text",
    "hour": "timestamptz",
    "charged_month": "date",
    "cluster_id": "bigint",
}
_GPU_SUMS: Final = {
    "seen_ms": "sum(seen_ms)",
    "active_ms": "sum(coalesce(active_ms, 0))",
    "active_seen_ms": "coalesce(sum(seen_ms) FILTER (WHERE active_ms IS NOT NULL), 0)",
    "measured_ms": "coalesce(sum(seen_ms) FILTER (WHERE energy_mj IS NOT NULL), 0)",
    "energy_mj": "sum(coalesce(energy_mj, 0))",
}


E = TypeVar("E", Usage, GpuUsage)


class ToldOtherwise(DomainError):
    """An event of that source and id is in the ledger, with another body."""

    code: ClassVar[str] = "event_told_otherwise"


class TooManyEntries(DomainError):
    """More entries at once than one transaction takes."""

    code: ClassVar[str] = "too_many_events"


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of some entries: ``known`` were in the ledger already, with the same body."""

    fresh: int
    known: int


def record(entries: Sequence[Usage], *, now: datetime) -> Booked:
    """Book usage: all of it, or none.  What is in the ledger already is accepted without effect.

    Raises `ToldOtherwise`, which also leaves a row in the audit trail, `TooManyEntries`, or
    `locks.LockBusy` while a month is being closed.
    """

    def row(each: Usage) -> tuple[Any, ...]:
        return (
            each.booking.reservation_id,
            each.booking.team_id,
            each.booking.pool_id,
            each.is_reading,
            each.engine,
            each.model,
            each.prompt_computed,
            each.prompt_cached,
            each.generated,
            each.requests,
            None if each.evidence is None else json.dumps(each.evidence),
        )

    return _book("tokenomics_usageentry", entries, row, _book_usage, now=now)


def record_gpus(entries: Sequence[GpuUsage], *, now: datetime) -> Booked:
    """Book what GPUs did, as `record` does with tokens."""

    def row(each: GpuUsage) -> tuple[Any, ...]:
        return (
            each.cluster_id,
            each.node,
            each.gpu_uuid,
            each.instance,
            each.reservation_id,
            each.seen_ms,
            each.active_ms,
            each.energy_mj,
        )

    return _book("tokenomics_gpuentry", entries, row, _book_gpus, now=now)


def _book(
    table: str,
    entries: Sequence[E],
    row: Callable[[E], tuple[Any, ...]],
    write: Callable[[str, list[Any]], int],
    *,
    now: datetime,
) -> Booked:
    if len(entries) > AT_ONCE:
        raise TooManyEntries(f"{len(entries)} entries at once: send at most {AT_ONCE}")
    told = list(_once(entries))
    if not told:
        return Booked(0, 0)
    arrived = now.isoformat()
    try:
        with transaction.atomic():
            # Whoever closes a month waits until this is written, or this until it is closed.
            locks.share_until_commit(locks.LockSpace.USAGE_MONTHS, 0, wait_at_most=_PATIENCE)
            hours = _Hours(now, costs.closed_before())
            rows = [_common(digest, each, arrived, hours) + row(each) for digest, each in told]
            fresh = write(table, rows)
            if fresh < len(rows):
                _refuse(bulk.told_otherwise(table))
    except ToldOtherwise as error:
        with transaction.atomic():
            audit.record("usage.refused", subject=table, actor=None, at=now, reason=str(error))
        raise
    return Booked(fresh, len(entries) - fresh)


def _common(digest: str, each: Usage | GpuUsage, arrived: str, hours: "_Hours") -> tuple[Any, ...]:
    """Return what every row of a ledger begins with."""
    started, ended = each.started_at, each.ended_at
    when = (started.isoformat(), ended.isoformat(), arrived)
    return (each.source, each.event_id, digest, *when, *hours.of(started, ended))


def _book_usage(table: str, rows: list[Any]) -> int:
    """Insert the rows, add what is new to its hours and days, and return how many are new."""
    sums = bulk.insert(
        table,
        _USAGE,
        rows,
        keys=_HOUR_KEYS | _HOUR_CARRIED,
        sums={name: f"sum(coalesce({name}, 0))" for name in _TOKENS if name != "entries"},
    )
    if not sums:
        return 0
    bulk.add("tokenomics_usagehour", _HOUR_KEYS, _HOUR_CARRIED, _TOKENS, sums)
    days: dict[tuple[Any, ...], Counter[str]] = {}
    for _, model, hour, month, is_reading, team, pool, *figures in sums:
        key = (month, team, pool, model, hour.date(), is_reading)
        day = days.setdefault(key, Counter())
        day.update(dict(zip(_TOKENS, figures, strict=True)))
    by_day = [(*key, *(total[name] for name in _TOKENS)) for key, total in days.items()]
    bulk.add("tokenomics_usageday", _DAY_KEYS, {}, _TOKENS, by_day)
    return sum(row[-1] for row in sums)


def _book_gpus(table: str, rows: list[Any]) -> int:
    sums = bulk.insert(table, _GPU, rows, keys=_GPU_KEYS, sums=_GPU_SUMS)
    if sums:
        columns = dict.fromkeys((*_GPU_SUMS, "entries"), "bigint")
        bulk.add("tokenomics_gpuhour", _GPU_KEYS, {}, columns, sums)
    return sum(row[-1] for row in sums)


class _Hours:
    """The hour and the month of entries that came at the same time, as text; few are new."""

    def __init__(self, now: datetime, closed_before: date | None) -> None:
        self._now = now
        self._closed_before = closed_before
        self._known: dict[datetime, tuple[str, str]] = {}

    def of(self, started_at: datetime, ended_at: datetime) -> tuple[str, str]:
        hour = hour_of(started_at, ended_at)
        if hour not in self._known:
            month = charged_month(hour, arrived_at=self._now, closed_before=self._closed_before)
            self._known[hour] = (hour.isoformat(), month.isoformat())
        return self._known[hour]


def _once(entries: Iterable[E]) -> Iterable[tuple[str, E]]:
    """Return each event once, after its digest; one told in two ways at once is refused."""
    seen: dict[tuple[str, str], tuple[str, E]] = {}
    for each in entries:
        key, digest = (each.source, each.event_id), _hex(each.digest)
        if seen.setdefault(key, (digest, each))[0] != digest:
            _refuse([key])
    return seen.values()


def _hex(digest: bytes) -> str:
    """Return the bytes as PostgreSQL reads them."""
    return f"\\x{digest.hex()}"


def _refuse(others: Sequence[tuple[str, str]]) -> None:
    if others:
        source, event_id = others[0]
        more = f", and {len(others) - 1} more" if len(others) > 1 else ""
        raise ToldOtherwise(
            f"event {event_id} of {source} was told with other figures{more}: nothing was booked"
        )
