"""A pool's calendar as rows of a timeline, and the same as a table.  Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext

from gpuaas.core.language import later
from gpuaas.inventory.promise import Guarantee
from gpuaas.portal import wording
from reservations import timetable
from reservations.calendar import ABSENT, OTHERS, OWN
from reservations.capacity import Window
from reservations.timetable import HOUR, Taken

if TYPE_CHECKING:
    from gpuaas.inventory.models import Closure, Node, Pool
    from reservations.calendar import Entry, Row

DAYS: Final = {"day": 1, "week": 7, "fortnight": 14}
DAY: Final = timedelta(days=1)
SHADES: Final = 4
WHOSE: Final = {
    OWN: later("Mine"),
    "team": later("My team's"),
    OTHERS: later("Others'"),
    ABSENT: later("Nobody's"),
}


@dataclass(frozen=True, slots=True)
class Span:
    """Which days are shown: ``days`` from ``first`` on, in UTC where nobody says more."""

    view: str
    first: date

    @property
    def days(self) -> int:
        return DAYS[self.view]

    @property
    def before(self) -> date:
        return self.first - self.days * DAY

    @property
    def after(self) -> date:
        return self.first + self.days * DAY

    @property
    def last(self) -> date:
        return self.after - DAY

    @property
    def window(self) -> Window:
        return Window(_midnight(self.first), _midnight(self.after))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@dataclass(frozen=True, slots=True)
class Free:
    """How many of a type's ``total`` devices are free, all the time from start to end."""

    starts_at: datetime
    ends_at: datetime
    free: int
    total: int

    @property
    def shade(self) -> int:
        """0 where nothing is free, `SHADES` where everything is."""
        return -(-SHADES * self.free // self.total) if self.total else 0


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: a device, and what is on it from when to when."""

    node: str
    device: str
    starts_at: datetime
    ends_at: datetime
    whose: str
    about: str
    url: str


_KINDS: Final = {
    Guarantee.EXCLUSIVE: "exclusive",
    Guarantee.TIME_SHARED: later("yours, time-shared"),
    Guarantee.SHARED: "shared",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is known of a pool in a period: its devices, their bookings, what is closed."""

    pool: "Pool"
    rows: "Sequence[Row]"
    closures: "Sequence[Closure]"
    nodes: "Mapping[int, Node]"
    within: Window

    def free(self) -> dict[str, list[Free]]:
        """Return by type what is free when; hours alike are one entry."""
        return {name: self._free(name) for name in {row.device.resource_name for row in self.rows}}

    def lines(self) -> list[Line]:
        """Return every booking and closure, device by device, by start."""
        lines, addresses = [], Addresses()
        for row in self.rows:
            node, device = row.device.node.name, device_name(row)
            on_it = [
                Line(
                    node, device, e.starts_at, e.ends_at, WHOSE[e.whose], about(e), addresses.of(e)
                )
                for e in row.entries
            ]
            on_it += [
                Line(node, device, c.starts_at, c.ends_at, c.get_kind_display(), c.reason, "")
                for c in self.closures
                if c.node_id in {None, row.device.node_id}
            ]
            lines += sorted(on_it, key=lambda line: line.starts_at)
        return lines

    def devices(self) -> list[tuple[str, str, str]]:
        """Return every device with its node and what a booking of it gets."""
        return [(row.device.node.name, device_name(row), promised(row)) for row in self.rows]

    def _free(self, resource_name: str) -> list[Free]:
        rows = [row for row in self.rows if row.device.resource_name == resource_name]
        on_node: defaultdict[int, int] = defaultdict(int)
        for row in rows:
            on_node[row.device.node_id] += 1
        since = self.within.starts_at.replace(minute=0, second=0, microsecond=0)
        hours = -((since - self.within.ends_at) // HOUR)
        absent = [
            Taken(row.device.node_id, entry.starts_at, entry.ends_at)
            for row in rows
            for entry in row.entries
            if entry.whose == ABSENT
        ]
        there = timetable.free_by_hour(on_node, absent, since=since, hours=hours)
        for node_id, count in on_node.items():
            reported = self.nodes[node_id].reported_devices if node_id in self.nodes else None
            if reported is not None:
                on_it = [row.device for row in rows if row.device.node_id == node_id]
                later = sum(not device.is_present for device in on_it)
                on_node[node_id] = min(count, reported.get(resource_name, 0) + later)
        taken = [
            Taken(row.device.node_id, entry.starts_at, entry.ends_at)
            for row in rows
            for entry in row.entries
        ]
        for closure in self.closures:
            nodes = on_node if closure.node_id is None else {closure.node_id} & on_node.keys()
            taken += [
                Taken(node, closure.starts_at, closure.ends_at, is_closure=True) for node in nodes
            ]
        by_hour = timetable.free_by_hour(on_node, taken, since=since, hours=hours)
        return _runs(list(zip(by_hour, there, strict=True)), since=since)


def _runs(by_hour: Sequence[tuple[int, int]], *, since: datetime) -> list[Free]:
    """Return hours alike as one: what is free in them, of what is there."""
    found, at = [], since
    for (free, total), alike in groupby(by_hour):
        ends_at = at + len(list(alike)) * HOUR
        found.append(Free(at, ends_at, free, total))
        at = ends_at
    return found


def device_name(row: "Row") -> str:
    """Return how a device is called on its node."""
    name = wording.resource(row.device.resource_name)
    if row.device.layout_id is not None:
        return gettext("{name} of GPU {gpu_index}, as planned").format(
            name=name, gpu_index=row.device.gpu_index
        )
    return f"{name} #{row.device.ordinal}"


def _row_title(row: "Row") -> str:
    name, planned = _short(row.device.resource_name), row.device.layout_id is not None
    return (
        gettext("{name} · planned").format(name=name)
        if planned
        else f"{name} · {row.device.ordinal}"
    )


def promised(row: "Row") -> str:
    """Return what a booking of the device gets: which one it is, how much, and whose it is then."""
    device = row.device
    gpu = [] if device.gpu_index is None else [f"GPU {device.gpu_index}"]
    facts = [
        *gpu,
        wording.gpu_memory(device.memory_mib),
        wording.compute(device.compute_share),
        wording.guarantee(row.promise, device.resource_name),
    ]
    return ", ".join(facts)


def _short(resource_name: str) -> str:
    return resource_name.rpartition("/")[2].removeprefix("mig-").replace("gpu", "GPU")


def about(entry: "Entry") -> str:
    """Return what may be said of a booking: of others' that it is there."""
    if entry.whose == OTHERS:
        return gettext("Booked")
    if entry.whose == ABSENT:
        return gettext("Its GPU is cut otherwise then")
    return " · ".join(part for part in (entry.purpose, entry.by, entry.team) if part)


class Addresses:
    """The pages of the bookings that one may see; looked up once, since there are many."""

    def __init__(self) -> None:
        self._some = str(UUID(int=0))
        self._page = reverse("portal:reservation", args=[self._some])

    def of(self, entry: "Entry") -> str:
        """Return the booking's page; empty for others'."""
        return self._page.replace(self._some, str(entry.public_id)) if entry.public_id else ""


def _in_short(row: "Row") -> str:
    memory = wording.gpu_memory(row.device.memory_mib)
    share = f"{(row.device.compute_share * 100).normalize():f} %"
    return f"{memory} · {share} · {_KINDS[row.promise.guarantee]}"


def as_json(sheet: Sheet, *, now: datetime) -> dict[str, Any]:
    """Return the timeline's rows and bars: a strip of what is free by type, then node by node.

    ``taken`` is when others have a device, by row: start, end, start, end, and so on.
    """
    free = sheet.free()
    names = sorted(free, key=lambda name: (name != "nvidia.com/gpu", name))
    rows: list[dict[str, Any]] = [
        {
            "id": f"free/{name}",
            "title": gettext("Free {short}").format(short=_short(name)),
            "kind": "free",
        }
        for name in names
    ]
    for node, on_it in groupby(sheet.rows, key=lambda row: row.device.node):
        devices = [
            {
                "id": f"d{row.device.pk}",
                "title": _row_title(row),
                "gets": _in_short(row),
                "about": f"{device_name(row)}: {promised(row)}",
                "kind": "device",
                "type": f"{sheet.pool.slug}/{row.device.resource_name}",
            }
            for row in on_it
        ]
        rows.append({"id": f"n{node.pk}", "title": node.name, "kind": "node", "children": devices})
    strips = [_strip(name, run) for name in names for run in free[name]]
    closed = [_closed(closure, sheet.rows) for closure in sheet.closures]
    text = Texts()
    return {
        "rows": rows,
        "bars": [*strips, *closed, *_booked(sheet.rows, text, now)],
        "taken": {
            f"d{row.device.pk}": times
            for row in sheet.rows
            if (times := [text[at] for e in row.entries if e.whose == OTHERS for at in e[:2]])
        },
    }


class Texts(dict[datetime, str]):
    """Instants as they are written: most bookings begin and end on the same few."""

    def __missing__(self, at: datetime) -> str:
        return self.setdefault(at, _text(at))


def _strip(name: str, run: Free) -> dict[str, Any]:
    return {
        "rows": [f"free/{name}"],
        "start": _text(run.starts_at),
        "end": _text(run.ends_at),
        "title": str(run.free),
        "kind": f"heat-{run.shade}",
        "label": gettext("{free} of {total} free").format(free=run.free, total=run.total),
    }


def _closed(closure: "Closure", rows: "Sequence[Row]") -> dict[str, Any]:
    told = f"{closure.get_kind_display()}: {closure.reason}"
    return {
        "rows": [
            f"d{row.device.pk}" for row in rows if closure.node_id in {None, row.device.node_id}
        ],
        "start": _text(closure.starts_at),
        "end": _text(closure.ends_at),
        "title": told,
        "kind": "closed",
        "label": told,
    }


def _booked(rows: "Sequence[Row]", text: Texts, now: datetime) -> list[dict[str, Any]]:
    """Return one bar a booking that is told of, on all of its devices."""
    addresses = Addresses()
    bars: dict[object, dict[str, Any]] = {}
    for row in rows:
        for entry in row.entries:
            if entry.whose == OTHERS:
                continue
            key = (entry.public_id or row.device.pk, entry.starts_at, entry.ends_at)
            if key in bars:
                bars[key]["rows"].append(f"d{row.device.pk}")
            else:
                bars[key] = _bar(entry, f"d{row.device.pk}", text, now)
                if entry.public_id is not None:
                    bars[key] |= {"id": str(entry.public_id), "url": addresses.of(entry)}
    return list(bars.values())


def _bar(entry: "Entry", row: str, text: Texts, now: datetime) -> dict[str, Any]:
    bar: dict[str, Any] = {
        "rows": [row],
        "start": text[entry.starts_at],
        "end": text[entry.ends_at],
        "title": about(entry),
        "kind": entry.whose,
    }
    if entry.whose == OWN and entry.ends_at > now:
        bar |= {"moves": entry.starts_at > now, "resizes": True}
    return bar


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
