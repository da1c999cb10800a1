"""Reading a pool's calendar: what is free by the hour, and who has which device when."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db.models import F, FloatField, Func, QuerySet
from psycopg.types.range import TimestamptzRange

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Device, Pool
from gpuaas.inventory.promise import Promise
from reservations import lifecycle, timetable
from reservations.capacity import Window
from reservations.models import DeviceHold, Reservation
from reservations.timetable import HOUR, Taken

OWN: Final = "own"
TEAM: Final = "team"
OTHERS: Final = "others"


def _seconds(instant: str) -> Func:
    return Func(
        F(instant),
        template="EXTRACT(EPOCH FROM %(expressions)s)::float8",
        output_field=FloatField(),
    )


# As seconds, not as a range or as instants: psycopg reads numbers twenty times as fast, and a
# double tells microseconds apart for another two centuries.
PERIOD: Final = (_seconds("during__startswith"), _seconds("during__endswith"))


def booked(
    *,
    of: User | Team | Pool,
    within: Window,
    ended_after: datetime,
    at_most: int,
    now: datetime,
) -> list[Reservation]:
    """Return what a person booked, or what is of a team or in a pool, by start, in two queries.

    What starts ``within``; of what was canceled or failed, what was so after ``ended_after``.
    Where there is more than ``at_most``, what lies ahead comes before what is past.
    """
    column = {User: "requested_by", Team: "team", Pool: "pool"}[type(of)]
    gone = [lifecycle.State.CANCELED.value, lifecycle.State.FAILED.value]
    found = (
        Reservation.objects.filter(**{column: of})
        .filter(starts_at__gte=within.starts_at, starts_at__lt=within.ends_at)
        .exclude(state__in=gone, state_changed_at__lte=ended_after)
        .select_related("team", "pool", "requested_by")
    )
    ahead = list(found.filter(ends_at__gt=now).order_by("starts_at", "pk")[:at_most])
    past = found.filter(ends_at__lte=now).order_by("-starts_at", "-pk")
    return [*reversed(past[: at_most - len(ahead)]), *ahead]


def free_by_hour(
    pool: Pool, *, resource_name: str, since: datetime, hours: int
) -> list[int] | None:
    """Return how many devices of a type are free in each hour; None where ``pool`` has none.

    Free on all nodes together; what a single booking can have lies on one of them.
    """
    devices = dict(
        inventory.bookable_devices(pool)
        .filter(resource_name=resource_name)
        .values_list("pk", "node_id")
    )
    if not devices:
        return None
    within = Window(since, since + hours * HOUR)
    on_node: defaultdict[int, int] = defaultdict(int)
    for node in devices.values():
        on_node[node] += 1
    for node_id, reported in inventory.node_capacities(pool).items():
        if node_id in on_node and reported.reported_devices is not None:
            shown = reported.reported_devices.get(resource_name, 0)
            on_node[node_id] = min(on_node[node_id], shown)
    taken = [Taken(devices[device], held) for device, held in holds_of(devices, within=within)]
    for closure in inventory.closures_of(pool, within=within):
        closed = Window(closure.starts_at, closure.ends_at)
        nodes = on_node if closure.node_id is None else [closure.node_id]
        taken += [Taken(node, closed, is_closure=True) for node in nodes]
    return timetable.free_by_hour(on_node, taken, since=since, hours=hours)


def holds_of(devices: Iterable[int], *, within: Window) -> Iterator[tuple[int, Window]]:
    """Yield each device with each window in which it is held that overlaps ``within``."""
    held = _overlapping(within).filter(device__in=list(devices))
    for device, start, end in held.values_list("device_id", *PERIOD):
        yield device, Window(_instant(start), _instant(end))


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking on one device.  Of the bookings of others, only when they are."""

    starts_at: datetime
    ends_at: datetime
    whose: str
    public_id: UUID | None = None
    team: str = ""
    by: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One device, what is promised of it, and its bookings by start."""

    device: Device
    entries: tuple[Entry, ...]
    promise: Promise


def rows(pool: Pool, *, within: Window, seen_by: User, now: datetime) -> list[Row]:
    """Return every bookable device of ``pool`` with what is booked on it in ``within``."""
    devices = list(
        inventory.bookable_devices(pool)
        .select_related("node__pool", "node__cluster")
        .order_by("node__name", "resource_name", "ordinal")
    )
    # Two reads instead of a join: of most bookings nothing but their time is told.
    told = {
        row[0]: row[1:]
        for row in Reservation.objects.filter(team__in=accounts.teams_visible_to(seen_by, now=now))
        .filter(node__in={device.node_id for device in devices})
        .overlapping(within)
        .values_list(
            "pk",
            "public_id",
            "team__name",
            "requested_by_id",
            "requested_by__username",
            "purpose",
        )
    }
    entries: defaultdict[int, list[Entry]] = defaultdict(list)
    for device, start, end, reservation in (
        _overlapping(within)
        .filter(device__in=[device.pk for device in devices])
        .order_by("during")
        .values_list("device_id", *PERIOD, "reservation_id")
    ):
        starts_at, ends_at = _instant(start), _instant(end)
        if reservation in told:
            public_id, team, person_id, person, purpose = told[reservation]
            whose = OWN if person_id == seen_by.pk else TEAM
            entry = Entry(starts_at, ends_at, whose, public_id, team, person, purpose)
        else:
            entry = Entry(starts_at, ends_at, OTHERS)
        entries[device].append(entry)
    promises = inventory.promises_of(devices)
    return [
        Row(device, tuple(entries[device.pk]), promises[device.node_id, device.resource_name])
        for device in devices
    ]


def _overlapping(within: Window) -> QuerySet[DeviceHold]:
    return DeviceHold.objects.filter(
        during__overlap=TimestamptzRange(within.starts_at, within.ends_at)
    )
