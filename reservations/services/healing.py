"""Hardware that went away under its bookings: what can be moved is moved, the rest is flagged.

Level-triggered: each call looks at a whole pool and remembers nothing; a second one writes nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from gpuaas.audit import services as audit
from gpuaas.core import errors, locks
from gpuaas.inventory import promise
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Device, DeviceState, Node, Pool
from reservations import lifecycle, placement, selectors, trouble
from reservations.capacity import Demand
from reservations.models import BookingFlag, DeviceHold, Reservation
from reservations.services import admission, holds, telling

logger = logging.getLogger(__name__)

LOCK_WAIT: Final = timedelta(seconds=3)
# Others wait for the pool's lock meanwhile.
AT_ONCE: Final = 5
AT_MOST: Final = 200
BROKEN: Final = (DeviceState.FAILED, DeviceState.RETIRED)


@dataclass(slots=True)
class Healing:
    """What one call did: public ids of bookings, and those over which our own code failed."""

    moved: list[str] = field(default_factory=list)
    flagged: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Look:
    """The pool as it is now: its ground, what is in trouble on it, and the flags that stand."""

    grounds: Sequence[trouble.Ground]
    troubles: Sequence[trouble.Trouble]
    flags: Mapping[int, BookingFlag]
    nodes: Mapping[int, Node]
    devices: Mapping[int, Device]


def heal_all(*, now: datetime) -> list[Healing]:
    """Heal every pool; one that is busy or crashes is left to the next time."""
    return heal_these(pools=inventory.pools(), now=now)


def heal_these(*, pools: Iterable[Pool | None], now: datetime) -> list[Healing]:
    """Heal ``pools`` at once, whose hardware was just changed; None, of a free node, is no pool.

    It raises nothing: the change stands, and what is left is done at the next tick.
    """
    done = []
    for pool in pools:
        if pool is None:
            continue
        try:
            done.append(heal(pool=pool, now=now))
        except errors.DomainError as busy:
            logger.info("healing put off", extra={"pool": pool.slug, "error": str(busy)})
        except Exception:
            logger.exception("healing crashed", extra={"pool": pool.slug})
    return done


def heal(*, pool: Pool, now: datetime) -> Healing:
    """Move the bookings of ``pool`` that cannot stay where they are; flag what has no place.

    In start order, each in a savepoint of its own, so that one that fails blocks no other.  A flag
    whose booking is well again, moved or over is resolved.  A call does a bounded amount of work;
    the next goes on where it ended.

    Raises:
        LockBusy: too many were booking at once; nothing that was done before is lost.
    """
    done = Healing()
    todo = _todo(_look(pool, now), now)
    for first in range(0, len(todo), AT_ONCE):
        with transaction.atomic():
            locks.hold_until_commit(locks.LockSpace.POOL_CAPACITY, pool.pk, wait_at_most=LOCK_WAIT)
            # Each move changes what the next one finds: on a busy pool that is worth the reading.
            for pk in todo[first : first + AT_ONCE]:
                _treat_safely(pool, pk, done, now)
    return done


def _todo(look: _Look, now: datetime) -> list[int]:
    """Return the bookings with something to be done, without the lock: mostly none."""
    in_trouble = {each.held.reservation: each for each in look.troubles}
    over = [pk for pk in look.flags if pk not in in_trouble]
    new = [
        pk
        for pk, each in in_trouble.items()
        if pk not in look.flags or look.flags[pk].cause != each.cause
    ]
    movable = [pk for pk, each in in_trouble.items() if pk not in new and not each.has_started][
        :AT_MOST
    ]
    movable = [
        pk
        for pk in movable
        if trouble.place_anew(look.grounds, in_trouble[pk], now=now) is not None
    ]
    return [*over, *new, *movable][:AT_MOST]


def _treat_safely(pool: Pool, pk: int, done: Healing, now: datetime) -> None:
    try:
        with transaction.atomic():
            _treat(pool, pk, done, now)
    except Exception:
        logger.exception("booking not healed", extra={"reservation": pk})
        done.failed.append(str(pk))


def _treat(pool: Pool, pk: int, done: Healing, now: datetime) -> None:
    """Move, flag or resolve one booking, whatever is right under the lock."""
    # Canceling and starting take no pool lock: while we look, this booking does neither.
    reservation = (
        Reservation.objects.select_for_update(of=("self",))
        .select_related("team", "node")
        .get(pk=pk)
    )
    look = _look(pool, now)
    flag = look.flags.get(pk)
    found = next((each for each in look.troubles if each.held.reservation == pk), None)
    if found is None:
        if flag is not None:
            _resolve(reservation, flag, now)
            done.resolved.append(str(reservation.public_id))
        return
    place = None if found.has_started else trouble.place_anew(look.grounds, found, now=now)
    if place is not None and admission.lock_waiting(place.moved):
        _move(reservation, look, found, place, now)
        done.moved.append(str(reservation.public_id))
        if flag is not None:
            _resolve(reservation, flag, now)
            done.resolved.append(str(reservation.public_id))
    elif flag is None or flag.cause != found.cause:
        if flag is not None:
            _resolve(reservation, flag, now)
        _flag(reservation, look, found, now)
        done.flagged.append(str(reservation.public_id))


def _move(
    reservation: Reservation,
    look: _Look,
    found: trouble.Trouble,
    place: placement.Placement,
    now: datetime,
) -> None:
    before, after = reservation.placed_on, look.nodes[place.node]
    Reservation.objects.filter(pk=reservation.pk).update(node_id=place.node)
    holds.move(reservation, place.devices, others=place.moved, at=now)
    reason = _detail(look, found, reservation)
    audit.record(
        "reservation.moved",
        subject=reservation.subject,
        actor=None,
        team=reservation.team,
        at=now,
        cause=found.cause.value,
        reason=reason,
        came_from={"node": before.name, "devices": list(found.held.devices)},
        went_to={"node": after.name, "devices": list(place.devices)},
    )
    _tell("reservation.moved", reservation, found, reason, now)


def _flag(reservation: Reservation, look: _Look, found: trouble.Trouble, now: datetime) -> None:
    detail = _detail(look, found, reservation)[:300]
    BookingFlag.objects.create(
        reservation=reservation, cause=found.cause.value, detail=detail, since=now
    )
    audit.record(
        "reservation.flagged",
        subject=reservation.subject,
        actor=None,
        team=reservation.team,
        at=now,
        cause=found.cause.value,
        reason=detail,
    )
    _tell("reservation.flagged", reservation, found, detail, now)


def _resolve(reservation: Reservation, flag: BookingFlag, now: datetime) -> None:
    BookingFlag.objects.filter(pk=flag.pk).update(resolved_at=now)
    audit.record(
        "reservation.unflagged",
        subject=reservation.subject,
        actor=None,
        team=reservation.team,
        at=now,
        cause=flag.cause,
    )


def _tell(
    event: str, reservation: Reservation, found: trouble.Trouble, reason: str, now: datetime
) -> None:
    cause = found.cause.value
    telling.tell(
        event,
        reservation=reservation,
        actor=None,
        at=now,
        key=f"{event}:{reservation.public_id}:{cause}:{now.isoformat()}",
        cause=cause,
        reason=reason,
    )


def _detail(look: _Look, found: trouble.Trouble, reservation: Reservation) -> str:
    """Return what the matter is, as part of a sentence."""
    node = reservation.placed_on.name
    if found.cause == trouble.Cause.CLOSED:
        assert found.closure is not None  # noqa: S101 -- a closed one has its closure
        at = found.closure
        return (
            f"{node} is closed from {at.starts_at:%Y-%m-%d %H:%M} UTC "
            f"to {at.ends_at:%Y-%m-%d %H:%M} UTC"
        )
    if found.cause == trouble.Cause.NODE:
        return f"{node} is out of service"
    if found.cause == trouble.Cause.SHORT:
        return f"{node} has less at the moment than is booked on it"
    away = [look.devices[pk] for pk in found.held.devices if pk in look.devices]
    names = [
        f"{_name_of(each)} #{each.ordinal} ({each.get_state_display().lower()})"
        for each in away
        if each.state != DeviceState.IN_SERVICE
    ]
    return f"{', '.join(names) or 'a device'} on {node} is out of service"


def _name_of(device: Device) -> str:
    profile = device.resource_name.partition("/mig-")[2]
    return f"MIG slice {profile}" if profile else "GPU"


# --- looking -----------------------------------------------------------------------------------


def _look(pool: Pool, now: datetime) -> _Look:
    """Read the pool; the number of queries does not depend on what is in it."""
    states = {state.node: state for state in selectors.node_states(pool, now=now)}
    nodes = {n.pk: n for n in Node.objects.filter(pool=pool).select_related("pool")}
    devices = {device.pk: device for device in Device.objects.filter(node__pool=pool)}
    live = list(Reservation.objects.filter(pool=pool).holding_capacity().ending_after(now))
    grounds = [_ground(node, states.get(node.pk), devices.values()) for node in nodes.values()]
    grounds = _with_bookings_elsewhere(grounds, live, now)
    started = frozenset(each.pk for each in live if each.state == lifecycle.State.ACTIVE.value)
    ours = {each.pk for each in live}
    found = trouble.troubles(grounds, started=started, now=now)
    flags = BookingFlag.objects.filter(reservation__pool=pool, resolved_at=None)
    return _Look(
        grounds=grounds,
        troubles=[each for each in found if each.held.reservation in ours],
        flags={flag.reservation_id: flag for flag in flags},
        nodes=nodes,
        devices=devices,
    )


def _ground(
    node: Node, state: placement.NodeState | None, devices: Iterable[Device]
) -> trouble.Ground:
    here = [device for device in devices if device.node_id == node.pk]
    bookable = [device for device in here if device.state == DeviceState.IN_SERVICE]
    reported = node.reported_devices
    is_shared = bool(node.pool and node.pool.is_shared)
    return trouble.Ground(
        state=state or placement.NodeState(node.pk, Demand(), {}, ()),
        is_open=state is not None,
        is_ready=node.is_ready,
        is_gone=not node.is_ready and reported is not None and not any(reported.values()),
        broken=frozenset(device.pk for device in here if device.state in BROKEN),
        grades=_grades(bookable, is_shared=is_shared),
        promised=_grades(
            [each for each in here if each.state != DeviceState.RETIRED] or here,
            is_shared=is_shared,
        ),
    )


def _grades(devices: Sequence[Device], *, is_shared: bool) -> dict[str, trouble.Grade]:
    """Return what a unit of each type is there; slots as `inventory.slots_per_unit` counts them."""
    by_type: defaultdict[str, list[Device]] = defaultdict(list)
    for device in devices:
        by_type[device.resource_name].append(device)
    return {
        name: trouble.Grade(
            product=max(device.product for device in same),
            memory_mib=min(device.memory_mib for device in same),
            slots=promise.slots(
                # What is not there right now takes nobody's slots yet.
                [device.replicas for device in same if device.is_present]
                or [device.replicas for device in same],
                is_shared=is_shared,
            ),
        )
        for name, same in by_type.items()
    }


def _with_bookings_elsewhere(
    grounds: list[trouble.Ground], live: Sequence[Reservation], now: datetime
) -> list[trouble.Ground]:
    """Add what stands on nodes that cannot be booked: admission does not look at them."""
    open_nodes = {ground.state.node for ground in grounds if ground.is_open}
    stranded = [each for each in live if each.node_id not in open_nodes]
    if not stranded:
        return grounds
    devices: defaultdict[int, list[int]] = defaultdict(list)
    for pk, device in DeviceHold.objects.filter(reservation__in=stranded).values_list(
        "reservation_id", "device_id"
    ):
        devices[pk].append(device)
    held: defaultdict[int, list[placement.Held]] = defaultdict(list)
    for each in stranded:
        held[each.placed_on_id].append(selectors.held_by(each, devices[each.pk], now=now))
    known = {ground.state.node: ground for ground in grounds}
    for node, bookings in held.items():
        state = placement.NodeState(node, Demand(), {}, tuple(bookings))
        ground = known.get(node, trouble.Ground(state, is_open=False))
        known[node] = trouble.Ground(
            state=state,
            is_open=False,
            is_ready=ground.is_ready,
            is_gone=ground.is_gone,
            broken=ground.broken,
            promised=ground.promised,
        )
    return list(known.values())
