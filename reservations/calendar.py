"""Reading a pool's calendar: what is free by the hour, and who has which device when."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from django.db import connection

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Device, Pool
from gpuaas.inventory.promise import Promise
from reservations import lifecycle, timetable
from reservations.capacity import Window
from reservations.models import Reservation
from reservations.timetable import HOUR, Taken

OWN: Final = "own"
TEAM: Final = "team"
OTHERS: Final = "others"
ABSENT: Final = "absent"


# By hand, and as seconds: Django converts each value, and psycopg reads numbers twenty times as
# fast as ranges or instants; a double tells microseconds apart for another two centuries.
_HELD: Final = """
SELECT device_id, EXTRACT(EPOCH FROM coalesce(lower(during), %(starts_at)s))::float8,
    EXTRACT(EPOCH FROM coalesce(upper(during), %(ends_at)s))::float8, reservation_id
FROM reservations_devicehold
WHERE device_id = ANY(%(devices)s) AND during && tstzrange(%(starts_at)s, %(ends_at)s)
"""


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
    devices = {
        pk: (node, is_present)
        for pk, node, is_present in inventory.bookable_devices(pool)
        .filter(resource_name=resource_name)
        .values_list("pk", "node_id", "is_present")
    }
    if not devices:
        return None
    within = Window(since, since + hours * HOUR)
    on_node: defaultdict[int, int] = defaultdict(int)
    for node, _ in devices.values():
        on_node[node] += 1
    later: defaultdict[int, int] = defaultdict(int)
    for node, is_present in devices.values():
        later[node] += not is_present
    for node_id, reported in inventory.node_capacities(pool).items():
        if node_id in on_node and reported.reported_devices is not None:
            shown = reported.reported_devices.get(resource_name, 0) + later[node_id]
            on_node[node_id] = min(on_node[node_id], shown)
    taken = [
        Taken(devices[device][0], starts_at, ends_at)
        for device, starts_at, ends_at, _ in holds_of(devices, within=within)
    ]
    for closure in inventory.closures_of(pool, within=within):
        nodes = on_node if closure.node_id is None else {closure.node_id} & on_node.keys()
        taken += [
            Taken(node, closure.starts_at, closure.ends_at, is_closure=True) for node in nodes
        ]
    return timetable.free_by_hour(on_node, taken, since=since, hours=hours)


Hold: TypeAlias = tuple[int, datetime, datetime, int | None]
"""A device, from when to when it is held, and for which reservation; None: it does not exist then.

Plain: there are many.  What has no beginning, or no end, has that of the time that was asked for.
"""


def holds_of(devices: Iterable[int], *, within: Window) -> list[Hold]:
    """Return what holds ``devices`` at some instant of ``within``, in no order."""
    at = _Instants()
    with connection.cursor() as cursor:
        asked = {"starts_at": within.starts_at, "ends_at": within.ends_at}
        cursor.execute(_HELD, {"devices": list(devices), **asked})
        return [
            (device, at[start], at[end], reservation)
            for device, start, end, reservation in cursor.fetchall()
        ]


class _Instants(dict[float, datetime]):
    """Instants by their seconds since 1970: most bookings begin and end on the same few."""

    def __missing__(self, seconds: float) -> datetime:
        return self.setdefault(seconds, datetime.fromtimestamp(seconds, UTC))


class Entry(NamedTuple):
    """One booking on one device.  Of the bookings of others, only when they are.

    ``whose`` is ABSENT while the device does not exist, as its GPU is planned to be cut.
    """

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
    for device, starts_at, ends_at, reservation in sorted(
        holds_of([device.pk for device in devices], within=within), key=itemgetter(0, 1, 2)
    ):
        if reservation is None:
            entry = Entry(starts_at, ends_at, ABSENT)
        elif reservation in told:
            public_id, team, person_id, person, purpose = told[reservation]
            whose = OWN if person_id == seen_by.pk else TEAM
            entry = Entry(starts_at, ends_at, whose, public_id, team, person, purpose)
        else:
            entry = Entry(starts_at, ends_at, OTHERS)
        entries[device].append(entry)
    promises = inventory.promises_of(devices)
    return [Row(device, tuple(entries[device.pk]), promises[device.pk]) for device in devices]
