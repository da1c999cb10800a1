"""From what engines and GPUs show to the ledger: compared with the last reading, then kept."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from gpuaas.core import locks
from gpuaas.inventory.models import Cluster
from tokenomics.core import telemetry
from tokenomics.core.deltas import AbsurdReading, Growth, Known, growth
from tokenomics.core.engines.reading import Reading
from tokenomics.core.ledger import Booking, GpuUsage, Usage
from tokenomics.core.telemetry import Board
from tokenomics.models.meters import FinalReading, MeterSeries, MeterSpan
from tokenomics.services import usage

if TYPE_CHECKING:
    from reservations.models import Reservation

logger = logging.getLogger(__name__)

LONGEST_GAP: Final = timedelta(seconds=150)
"""Readings further apart than this leave a gap: two ticks, and half a one."""

MOST_SERIES: Final = 200
"""A session has no more counters than this at one look."""

_PATIENCE: Final = timedelta(seconds=5)
_COMPUTED: Final = "computed"
_LONGEST_PROBLEM: Final = 300
_LONGEST_NAME: Final = 300


@dataclass(frozen=True, slots=True)
class EngineLook:
    """What one pod showed; ``problem`` says why it could not be read, empty when it could."""

    pod_uid: str
    readings: tuple[Reading, ...] = ()
    problem: str = ""


def book_look(
    *,
    reservation: "Reservation",
    looks: Sequence[EngineLook],
    now: datetime,
    is_final: bool = False,
) -> list[str]:
    """Book what the engines of a session counted since the last look, and return the problems.

    A pod that could not be read leaves a gap and spoils nothing for the others.  Looking twice at
    once books nothing twice: the second waits for the first and finds the counters as they are.
    """
    problems = [look.problem for look in looks if look.problem]
    readings = [(look.pod_uid, each) for look in looks for each in look.readings]
    if len(readings) > MOST_SERIES:
        problems.append(f"{len(readings)} counters: at most {MOST_SERIES} are read")
    with transaction.atomic():
        # Whoever looks at the same booking at the same time comes after.
        locks.hold_until_commit(locks.LockSpace.BOOK_METERS, reservation.pk, wait_at_most=_PATIENCE)
        problems += _book_readings(reservation, readings[:MOST_SERIES], now=now)
        if not problems:
            _extend(reservation, now=now)
        if is_final:
            FinalReading.objects.update_or_create(
                reservation=reservation,
                defaults={"read_at": now, "problem": "; ".join(problems)[:_LONGEST_PROBLEM]},
            )
    for problem in problems:
        logger.warning(
            "meter unread", extra={"reservation": str(reservation.public_id), "error": problem}
        )
    return problems


def _book_readings(
    reservation: "Reservation", readings: Iterable[tuple[str, Reading]], *, now: datetime
) -> list[str]:
    """Book what each series grew by, keep where it stands, and return what cannot be."""
    known = {each.name: each for each in MeterSeries.objects.filter(reservation=reservation)}
    entries: list[Usage] = []
    moved: dict[str, MeterSeries] = {}
    problems = []
    for pod_uid, reading in readings:
        name = _name_of(pod_uid, reading)
        before = known.get(name)
        if name in moved or (before is not None and before.read_at >= now):
            continue  # somebody read it after us, and booked more
        try:
            step = growth(_known(before), reading, read_at=now, born_since=reservation.starts_at)
        except AbsurdReading as error:
            problems.append(f"{reading.engine} {reading.model}: {error}")
            continue
        moved[name] = _series(reservation, name, step.known)
        if not step.is_nothing:
            entries.append(_entry(reservation, name, reading, step, before, now))
    usage.record(entries, now=now)
    _keep(moved.values(), "birth", "counts", "read_at")
    return problems


def _keep(rows: Iterable[MeterSeries], *changing: str) -> None:
    MeterSeries.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["cluster", "name"],
        update_fields=changing,
    )


@dataclass(frozen=True, slots=True)
class Holder:
    """The booking that has a GPU, or a slice of it, and which part of the board that is."""

    reservation_id: int | None
    weight: float = 1.0


def book_boards(
    *,
    cluster: Cluster,
    node: str,
    boards: Iterable[tuple[Board, dict[str, Holder]]],
    now: datetime,
) -> int:
    """Book what the GPUs of a node did since the last look, and return how many entries it made.

    ``boards`` come with who holds each slice, by its instance.  After a gap nothing is booked for
    the time in it: who did what is not known.
    """
    with transaction.atomic():
        given = [(f"gpu/{board.uuid}", board, holders) for board, holders in boards]
        names = [name for name, *_ in given]
        known = {
            each.name: each for each in MeterSeries.objects.filter(cluster=cluster, name__in=names)
        }
        entries: list[GpuUsage] = []
        for name, board, holders in given:
            before = known.get(name)
            if before is not None and timedelta() < now - before.read_at <= LONGEST_GAP:
                entries += _gpu_entries(cluster, node, board, holders, before, now)
        usage.record_gpus(entries, now=now)
        _keep(
            [
                MeterSeries(
                    cluster=cluster,
                    name=name,
                    counts={} if board.energy_mj is None else {"energy_mj": board.energy_mj},
                    read_at=now,
                )
                for name, board, _ in given
                if name not in known or known[name].read_at < now
            ],
            "counts",
            "read_at",
        )
    return len(entries)


def _gpu_entries(
    cluster: Cluster,
    node: str,
    board: Board,
    holders: dict[str, Holder],
    before: MeterSeries,
    now: datetime,
) -> list[GpuUsage]:
    """Return an entry for each slice of a board, together with all of its energy."""
    seconds = (now - before.read_at).total_seconds()
    grown = telemetry.energy_grown(before.counts.get("energy_mj"), board.energy_mj, seconds=seconds)
    parts = telemetry.shares(board, {key: each.weight for key, each in holders.items()})
    energy = {} if grown is None else telemetry.split(grown, parts)
    return [
        GpuUsage(
            source=f"cluster/{cluster.name}",
            event_id=f"{board.uuid}/{each.instance}@{now.isoformat()}",
            cluster_id=cluster.pk,
            node=node,
            gpu_uuid=board.uuid,
            instance=each.instance,
            reservation_id=holders.get(each.instance, Holder(None)).reservation_id,
            started_at=before.read_at,
            ended_at=now,
            active_ms=None if each.active is None else round(each.active * seconds * 1000),
            energy_mj=energy.get(each.instance),
        )
        for each in board.slices
    ]


def _entry(
    reservation: "Reservation",
    name: str,
    reading: Reading,
    step: Growth,
    before: MeterSeries | None,
    now: datetime,
) -> Usage:
    """Return what grew, as an entry of the booking's own time: a late look is not a later use."""
    end = reservation.released_at or reservation.ends_at
    ended_at = min(now, max(end, reservation.starts_at))
    return Usage(
        source=f"cluster/{reservation.pool.cluster.name}",
        event_id=f"{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}@{now.isoformat()}",
        booking=Booking(
            reservation.pk,
            reservation.team_id,
            reservation.pool_id,
            reservation.starts_at,
            reservation.ends_at,
        ),
        engine=reading.engine,
        model=reading.model,
        started_at=min(before.read_at if before else reservation.starts_at, ended_at),
        ended_at=ended_at,
        is_reading=True,
        evidence={
            "series": name,
            "from": before.counts if before else None,
            "to": step.known.counters,
            "restart": step.is_restart,
        },
        **step.figures,
    )


def _extend(reservation: "Reservation", *, now: datetime) -> None:
    """Note that everything of the booking was seen until now, since the look before if it can be.

    Nothing ran before the first look at a session that just became ready.
    """
    until = min(now, reservation.released_at or reservation.ends_at)
    last = MeterSpan.objects.filter(reservation=reservation).order_by("-since").first()
    if last is not None and now - last.until <= LONGEST_GAP:
        MeterSpan.objects.filter(pk=last.pk, until__lt=until).update(until=until)
        return
    since = max(reservation.starts_at, now - LONGEST_GAP) if last is None else now
    if since <= until:
        MeterSpan.objects.create(reservation=reservation, since=since, until=until)


def _known(row: MeterSeries | None) -> Known | None:
    if row is None:
        return None
    counters = dict(row.counts)
    computed = counters.pop(_COMPUTED, None)
    birth = None if row.birth is None else Decimal(row.birth)
    return Known(counters, computed, birth, row.read_at)


def _series(reservation: "Reservation", name: str, known: Known) -> MeterSeries:
    counts: dict[str, Any] = dict(known.counters)
    if known.computed is not None:
        counts[_COMPUTED] = known.computed
    return MeterSeries(
        cluster=reservation.pool.cluster,
        name=name,
        reservation=reservation,
        birth=known.birth,
        counts=counts,
        read_at=known.read_at,
    )


def _name_of(pod_uid: str, reading: Reading) -> str:
    """Return the name of a series; a pod that came back under its name has another UID."""
    name = f"{pod_uid}/{reading.engine}/{reading.model}/{reading.replica}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{pod_uid}/{hashlib.sha256(name.encode()).hexdigest()}"
