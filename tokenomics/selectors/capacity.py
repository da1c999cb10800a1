"""What a month's cost is split by: devices and when they were there, what was held, what worked."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from django.db import connection

from gpuaas.inventory import mig
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Closure, Device, DeviceState
from reservations.capacity import Window
from tokenomics.core.capacity import Presence, Span, exact, weight_of
from tokenomics.models import DeviceSpan, TeamCostCentre

_ACTIVITY: Final = """
SELECT reservation_id, sum(active_ms)::bigint, sum(active_seen_ms)::bigint,
    sum(measured_ms)::bigint
FROM tokenomics_gpuhour
WHERE reservation_id IS NOT NULL AND hour >= %(since)s AND hour < %(until)s
GROUP BY 1
"""
# A board's pool is that of its node, which the ledger's entries name.  What nobody had booked is a
# whole board, or one of the slices that were seen on it in that hour.
_ENERGY: Final = """
WITH share AS (
    SELECT hold.reservation_id, max(device.compute_share) AS share
    FROM reservations_devicehold hold JOIN inventory_device device ON device.id = hold.device_id
    WHERE hold.during && tstzrange(%(since)s, %(until)s) GROUP BY 1
), seen AS (
    SELECT * FROM tokenomics_gpuhour WHERE hour >= %(since)s AND hour < %(until)s
), board AS (
    SELECT cluster_id, gpu_uuid, (
        SELECT node.pool_id FROM tokenomics_gpuentry entry
        JOIN inventory_node node ON node.cluster_id = entry.cluster_id AND node.name = entry.node
        WHERE entry.cluster_id = known.cluster_id AND entry.gpu_uuid = known.gpu_uuid LIMIT 1
    ) AS pool_id
    FROM (SELECT DISTINCT cluster_id, gpu_uuid FROM seen) AS known
), parts AS (
    SELECT cluster_id, gpu_uuid, hour, count(DISTINCT instance) AS parts FROM seen GROUP BY 1, 2, 3
)
SELECT board.pool_id, seen.hour, sum(seen.energy_mj)::bigint,
    floor(sum(seen.measured_ms * coalesce(share.share, 1.0 / parts.parts)))::bigint
FROM seen JOIN board USING (cluster_id, gpu_uuid) JOIN parts USING (cluster_id, gpu_uuid, hour)
LEFT JOIN share USING (reservation_id)
WHERE board.pool_id IS NOT NULL
GROUP BY 1, 2
"""
_ALWAYS: Final = (0, 2**62)


@dataclass(frozen=True, slots=True)
class Here:
    """A device, where it is, and when it was there."""

    pool: int
    node: int
    resource_name: str
    knows_gpu: bool
    presence: Presence


@dataclass(frozen=True, slots=True)
class Activity:
    """What was measured of one booking, in ms: worked, of so much; and with its energy."""

    active_ms: int
    seen_ms: int
    measured_ms: int


def devices_within(within: Window) -> dict[int, Here]:
    """Return every device of a pool that was there at some instant ``within``, by its key."""
    spans: defaultdict[int, dict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
    for span in DeviceSpan.objects.all():
        until = _ms(span.until) if span.until else _ALWAYS[1]
        spans[span.device_id][span.state].append((_ms(span.since), until))
    closed = _closures(within)
    devices = Device.objects.exclude(node__pool=None).select_related("node").order_by("pk")
    found = {each.pk: _here(each, spans[each.pk], closed) for each in devices}
    weighed = exact(each.presence for each in found.values())
    return {each.device: replace(found[each.device], presence=each) for each in weighed}


def _here(
    device: Device, spans: Mapping[str, list[Span]], closed: Mapping[str, list[Span]]
) -> Here:
    node = device.node
    out = {state: spans.get(state, []) for state in DeviceState.values}
    there = [each for state in DeviceState.values if state != "retired" for each in out[state]]
    gpu = f"{node.pk}" if device.gpu_index is None else f"{node.pk}/{device.gpu_index}"
    return Here(
        pool=node.pool_id or 0,
        node=node.pk,
        resource_name=device.resource_name,
        knows_gpu=device.gpu_index is not None,
        presence=Presence(
            device=device.pk,
            gpu=gpu,
            weight=_weight(device),
            there=there,
            planned=[
                *out[DeviceState.DRAINING],
                *closed.get(f"node:{node.pk}", ()),
                *closed.get(f"pool:{node.pool_id}", ()),
            ],
            unplanned=out[DeviceState.FAILED],
        ),
    )


def _weight(device: Device) -> int:
    whole_mib = mig.memory_mib_of(device.product, mig.WHOLE)
    memory = Fraction(device.memory_mib, whole_mib) if whole_mib else None
    return weight_of(Fraction(device.compute_share), memory)


def _closures(within: Window) -> dict[str, list[Span]]:
    found: defaultdict[str, list[Span]] = defaultdict(list)
    standing = inventory.closures().filter(
        canceled_at=None, starts_at__lt=within.ends_at, ends_at__gt=within.starts_at
    )
    for each in standing:
        found[_closed(each)].append((_ms(each.starts_at), _ms(each.ends_at)))
    return dict(found)


def _closed(closure: Closure) -> str:
    return f"node:{closure.node_id}" if closure.node_id else f"pool:{closure.pool_id}"


def activity_within(within: Window) -> dict[int, Activity]:
    """Return what was measured of each booking ``within``."""
    rows = _rows(_ACTIVITY, within)
    return {key: Activity(active, seen, measured) for key, active, seen, measured in rows}


def energy_within(within: Window) -> dict[int, dict[datetime, tuple[int, int]]]:
    """Return mJ measured, and for how much time of whole GPUs, by pool and hour."""
    found: defaultdict[int, dict[datetime, tuple[int, int]]] = defaultdict(dict)
    for pool, hour, energy_mj, gpu_ms in _rows(_ENERGY, within):
        found[pool][hour] = (energy_mj, gpu_ms)
    return dict(found)


def cost_centres_of_teams() -> dict[int, list[tuple[datetime, str]]]:
    """Return since when each team belongs to which cost centre, the latest first."""
    found: defaultdict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for each in TeamCostCentre.objects.order_by("team", "-since"):
        found[each.team_id].append((each.since, each.cost_centre))
    return dict(found)


def cost_centre_at(since: Iterable[tuple[datetime, str]], instant: datetime) -> str:
    """Return the cost centre that counted at an instant."""
    return next((code for begun, code in since if begun <= instant), "")


def _rows(sql: str, within: Window) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"since": within.starts_at, "until": within.ends_at})
        return list(cursor.fetchall())


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000 // 1)
