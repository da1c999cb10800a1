"""A month put together: from devices, bookings and portions to numbered lines.  Pure.

Bookings, devices, pools, nodes, teams and people are keys here; what writes the lines knows them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Final

from tokenomics.core.capacity import (
    DeviceTime,
    Presence,
    Span,
    device_time,
    gpu_time,
    gpus_for,
)
from tokenomics.core.lines import WEIGHT_PARTS, LineKind
from tokenomics.core.portions import HourEnergy, Portion
from tokenomics.core.shares import Amounts, Claim, at_rate, shares, used_and_unused

_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Booked:
    """One booking in the month: its ``held`` spans by device, and what of them worked.

    Of ``seen_ms`` it was seen, ``active_ms`` it worked; for ``measured_ms`` its energy is known.
    """

    key: int
    cost_centre: str
    team: int
    person: int
    purpose: str
    has_failed: bool
    held: Mapping[int, Sequence[Span]]
    active_ms: int = 0
    seen_ms: int = 0
    measured_ms: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A device in the month, its node and type, and whether its physical GPU is known."""

    node: int
    resource_name: str
    knows_gpu: bool
    presence: Presence


@dataclass(frozen=True, slots=True)
class Line:
    """A calculated line, before it is numbered."""

    kind: LineKind
    amounts: Amounts
    cost_centre: str
    pool: int
    device_ms: int = 0
    gpu_ns: int = 0
    booking: Booked | None = None
    device: int | None = None
    node: int | None = None
    resource_name: str = ""
    span: Span | None = None
    is_measured: bool | None = None
    reason: str = ""


@dataclass(slots=True)
class Hours:
    """Where a pool's time went, in nanoseconds of whole GPUs; together it is the calendar's."""

    booked: int = 0
    idle: int = 0
    stranded: int = 0
    outage: int = 0
    calendar: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A line without its amounts, and its claim on the pool."""

    claim: Claim
    line: Line
    used: tuple[int, int] | None = None


@dataclass(slots=True)
class PoolMonth:
    """One pool's month: everything that takes a part of what it costs."""

    pool: int
    servers: int
    gpus: int
    taken: list[Taken]
    load: list[tuple[int, int, int]]
    hours: Hours = field(default_factory=Hours)

    def lines(
        self,
        portions: Sequence[Portion],
        *,
        platform: str,
        spread_idle: bool,
        minor_per_gpu_hour: Fraction | None,
    ) -> Iterator[Line]:
        """Return the lines that pay ``portions``; by a standard rate, if there is one."""
        claims = [each.claim for each in self.taken]
        if minor_per_gpu_hour is not None:
            parts, variance = at_rate(portions, claims, minor_per_gpu_hour=minor_per_gpu_hour)
        elif claims or not portions:
            parts, variance = shares(portions, claims, spread_idle=spread_idle), {}
        else:
            parts, variance = [], {each.category: each.amount_minor for each in portions}
        for taken, amounts in zip(self.taken, parts, strict=True):
            yield from _lines_of(taken, amounts)
        if any(variance.values()):
            kind = LineKind.IDLE if minor_per_gpu_hour is None else LineKind.VARIANCE
            yield Line(kind, variance, platform, self.pool)


def pool_month(
    pool: int, places: Sequence[Place], bookings: Iterable[Booked], within: Span, *, platform: str
) -> PoolMonth:
    """Return who takes the capacity of ``places``, devices of one pool, ``within``."""
    by_device = {each.presence.device: each for each in places}
    held: defaultdict[int, list[Span]] = defaultdict(list)
    found = PoolMonth(pool, 0, 0, [], [])
    for booking in bookings:
        found.taken.append(_of_booking(pool, booking, by_device, platform))
        found.load.extend(_load(booking, by_device))
        for device, spans in booking.held.items():
            held[device].extend(spans)
    for place in places:
        time = device_time(place.presence, held[place.presence.device], within)
        found.taken.extend(_of_device(pool, place, time, platform))
    _add_gpus(found, places, within, platform)
    for each in found.taken:
        _count(found.hours, each.claim)
    return found


def hourly_load(load: Iterable[tuple[int, int, int]], hours: Sequence[int]) -> list[int]:
    """Return the integral of ``load`` over each hour that begins at one of ``hours``, in ms.

    Each of ``load`` is a span in ms since the epoch and its weight in `WEIGHT_PARTS`; the result is
    in milliseconds of a whole GPU.
    """
    changes: defaultdict[int, int] = defaultdict(int)
    for since, until, weight in load:
        changes[since] += weight
        changes[until] -= weight
    marks = sorted(changes)
    found, at, level = [], 0, 0
    for hour in hours:
        total, now, end = 0, hour, hour + _HOUR_MS
        while at < len(marks) and marks[at] < end:
            mark = max(marks[at], hour)
            total += level * (mark - now)
            level, now, at = level + changes[marks[at]], mark, at + 1
        found.append((total + level * (end - now)) // WEIGHT_PARTS)
    return found


def hours_with(
    measured: Mapping[datetime, tuple[int, int]], load: Mapping[datetime, int]
) -> dict[datetime, HourEnergy]:
    """Return each hour's measured energy and the load besides."""
    return {
        hour: HourEnergy(*measured.get(hour, (0, 0)), load.get(hour, 0))
        for hour in {*measured, *load}
    }


def _of_booking(pool: int, booking: Booked, places: Mapping[int, Place], platform: str) -> Taken:
    gpu_ns = device_ms = 0
    starts, ends = [], []
    for device, spans in booking.held.items():
        ms = sum(until - since for since, until in spans)
        device_ms += ms
        gpu_ns += ms * places[device].presence.weight
        starts.append(spans[0][0])
        ends.append(spans[-1][1])
    first = places[next(iter(booking.held))]
    is_measured = booking.seen_ms > 0
    active_ms = min(booking.active_ms, booking.seen_ms)
    active_ns = gpu_ns * active_ms // booking.seen_ms if is_measured else gpu_ns
    kind = LineKind.FAILED if booking.has_failed else LineKind.BOOKED_USED
    line = Line(
        kind=kind,
        amounts={},
        cost_centre=platform if booking.has_failed else booking.cost_centre,
        pool=pool,
        device_ms=device_ms,
        gpu_ns=gpu_ns,
        booking=booking,
        device=next(iter(booking.held)) if len(booking.held) == 1 else None,
        node=first.node,
        resource_name=first.resource_name,
        span=(min(starts), max(ends)),
        is_measured=is_measured,
        reason="service failure" if booking.has_failed else "",
    )
    splits = is_measured and not booking.has_failed
    return Taken(
        Claim(kind, gpu_ns, active_ns), line, (active_ms, booking.seen_ms) if splits else None
    )


def _load(booking: Booked, places: Mapping[int, Place]) -> Iterator[tuple[int, int, int]]:
    """Return the load of a booking as far as its energy was not measured."""
    held_ms = sum(u - s for spans in booking.held.values() for s, u in spans)
    unmeasured = max(held_ms - booking.measured_ms, 0)
    active, seen = (booking.active_ms, booking.seen_ms) if booking.seen_ms else (1, 1)
    for device, spans in booking.held.items():
        weight = places[device].presence.weight * min(active, seen) * unmeasured
        for since, until in spans:
            yield since, until, weight // (seen * held_ms)


def _of_device(pool: int, place: Place, time: DeviceTime, platform: str) -> Iterator[Taken]:
    weight, device = place.presence.weight, place.presence.device
    parts = (
        (LineKind.IDLE, time.idle_ms, False, ""),
        (LineKind.OUTAGE, time.planned_ms, True, "planned"),
        (LineKind.OUTAGE, time.unplanned_ms, False, "breakdown"),
    )
    for kind, ms, is_planned, reason in parts:
        if ms:
            line = Line(
                kind=kind,
                amounts={},
                cost_centre=platform,
                pool=pool,
                device_ms=ms,
                gpu_ns=ms * weight,
                device=device,
                node=place.node,
                resource_name=place.resource_name,
                reason=reason,
            )
            yield Taken(Claim(kind, ms * weight, is_planned=is_planned), line)


def _add_gpus(found: PoolMonth, places: Sequence[Place], within: Span, platform: str) -> None:
    """Count servers and GPUs, and add what the layouts of these leave."""
    by_gpu: defaultdict[str, list[Place]] = defaultdict(list)
    for place in places:
        if any(since < within[1] and until > within[0] for since, until in place.presence.there):
            by_gpu[place.presence.gpu].append(place)
    found.servers = len({each.node for there in by_gpu.values() for each in there})
    for there in by_gpu.values():
        presences = [each.presence for each in there]
        knows_gpu = there[0].knows_gpu
        weight = sum(each.weight for each in presences)
        found.gpus += 1 if knows_gpu else gpus_for(weight, knows_gpu=False)
        calendar_ns, left_ns = gpu_time(presences, within, knows_gpu=knows_gpu)
        found.hours.calendar += calendar_ns
        if left_ns:
            line = Line(
                kind=LineKind.STRANDED,
                amounts={},
                cost_centre=platform,
                pool=found.pool,
                gpu_ns=left_ns,
                node=there[0].node,
            )
            found.taken.append(Taken(Claim(LineKind.STRANDED, left_ns), line))


def _count(hours: Hours, claim: Claim) -> None:
    name = {
        LineKind.IDLE: "idle",
        LineKind.STRANDED: "stranded",
        LineKind.OUTAGE: "outage",
    }.get(claim.kind, "booked")
    setattr(hours, name, getattr(hours, name) + claim.gpu_ns)


def _lines_of(taken: Taken, amounts: Amounts) -> Iterator[Line]:
    line = taken.line
    if taken.used is None:
        yield _part(line, line.kind, amounts, line.device_ms, line.gpu_ns)
        return
    active, seen = taken.used
    used, unused = used_and_unused(amounts, active, seen)
    device_ms, gpu_ns = line.device_ms * active // seen, line.gpu_ns * active // seen
    if active:
        yield _part(line, line.kind, used, device_ms, gpu_ns)
    if active < seen:
        rest_ms, rest_ns = line.device_ms - device_ms, line.gpu_ns - gpu_ns
        yield _part(line, LineKind.BOOKED_UNUSED, unused, rest_ms, rest_ns)


def _part(line: Line, kind: LineKind, amounts: Amounts, device_ms: int, gpu_ns: int) -> Line:
    # By hand: `dataclasses.replace` takes as long as all the rest of a line.
    return Line(
        kind,
        amounts,
        line.cost_centre,
        line.pool,
        device_ms,
        gpu_ns,
        line.booking,
        line.device,
        line.node,
        line.resource_name,
        line.span,
        line.is_measured,
        line.reason,
    )
