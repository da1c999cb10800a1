"""Cutting a GPU otherwise for a while: planning it around what is booked, and going on with it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from psycopg.types.range import TimestamptzRange

from gpuaas.accounts.models import User
from gpuaas.inventory import closing, layouts, promise
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory import services as hardware
from gpuaas.inventory.models import Device, DeviceState, Node, PlannedLayout
from reservations.models import DeviceHold, Reservation

# As many as a person reads; the number of all is told.
NAMED: Final = 5


def plan_layout(
    *,
    node: Node,
    gpu_index: int,
    cut: Mapping[str, int],
    times: layouts.Times,
    reason: str,
    actor: User,
    now: datetime,
) -> PlannedLayout:
    """Plan that GPU ``gpu_index`` of ``node`` is cut into ``cut`` for a while.

    From then on what exists in which window is what can be booked in it.

    Raises:
        PlatformAdminsOnly: the actor is not one.
        LayoutRefused: with every reason against; bookings in the way are named, and the nearest
            time at which it would fit.
        LockBusy: bookings held the pool's lock for too long.
    """
    hardware.check_may_change(actor=actor)
    plan = hardware.Plan(node, gpu_index, dict(cut), times, reason.strip())
    made = hardware.check_layout(plan=plan, now=now)
    with transaction.atomic():
        hardware.keep_bookings_out(node.pool_id)
        displaced = [each for each in inventory.own_devices(node) if each.gpu_index == gpu_index]
        _check_room(plan, displaced, now)
        layout = hardware.write_down(plan=plan, made=made, actor=actor, now=now)
        _book_out(layout, displaced)
    return layout


def cancel_layout(*, layout: PlannedLayout, actor: User, now: datetime) -> None:
    """Take a layout back that has not begun, and that nobody has booked on.

    Raises:
        PlatformAdminsOnly: the actor is not one.
        LayoutBegun: it has begun, or is over.
        LayoutRefused: somebody counts on it; says who.
        StaleInventory: it went on this very moment.
    """
    hardware.check_may_change(actor=actor)
    state = layouts.State(layout.state)
    if state != layouts.State.PLANNED:
        raise hardware.LayoutBegun(
            f"{layout}: {state.label.lower()}, so it cannot be cancelled"
            + (
                ""
                if state in layouts.TERMINAL
                else f"; it goes back at {layouts.at(layout.ends_at)}"
            )
        )
    with transaction.atomic():
        hardware.keep_bookings_out(layout.node.pool_id)
        counting = list(_live(layout.node, now).filter(holds__device__layout=layout).distinct())
        if counting:
            problem = closing.Problem("layout_booked", "layout", f"{_names(counting)} counts on it")
            raise hardware.LayoutRefused([problem])
        hardware.advance(layout=layout, to=layouts.State.CANCELED, reason="", actor=actor, now=now)
        _book_in(layout)


def advance_layout(
    *, layout: PlannedLayout, step: layouts.Step, shown: Mapping[str, int], now: datetime
) -> None:
    """Make one step of a layout, and let the calendar follow; its node offers ``shown`` by now.

    A layout that failed gives its displaced devices back to the calendar; what was booked on its
    own is for healing to move or flag.

    Raises:
        StaleInventory: somebody else made a step meanwhile.
        LockBusy: bookings held the pool's lock for too long.
    """
    with transaction.atomic():
        hardware.keep_bookings_out(layout.node.pool_id)
        hardware.advance(
            layout=layout, to=step.to, reason=step.reason, actor=None, shown=shown, now=now
        )
        if step.to in {layouts.State.ROLLING_BACK, layouts.State.FAILED}:
            _book_in(layout)


def _check_room(plan: hardware.Plan, displaced: Iterable[Device], now: datetime) -> None:
    """Refuse a layout that takes something from somebody who has booked it.

    Raises:
        LayoutRefused: names them, and the nearest time that would do.
    """
    gone = {each.pk for each in displaced}
    live = list(_live(plan.node, now).prefetch_related("holds"))
    losing = _losing_slots(plan, gone)
    on_devices = [
        each
        for each in live
        if each.resource_name in losing or any(hold.device_id in gone for hold in each.holds.all())
    ]
    times = plan.times
    in_the_way = [
        each
        for each in live
        if layouts.in_the_way(times, of_the_node=each.window, is_displaced=each in on_devices)
    ]
    others = [
        layouts.Times(each.starts_at, each.ends_at).displaced_are_gone
        for each in PlannedLayout.objects.filter(node=plan.node, state__in=sorted(layouts.STANDING))
    ]
    own = times.displaced_are_gone
    meets_other = any(own.overlaps(each) for each in others)
    if not in_the_way and not meets_other:
        return
    fits = layouts.nearest(
        times,
        on_the_node=[each.window for each in live],
        displaced=[*(each.window for each in on_devices), *others],
        earliest=now,
        latest=now + closing.HORIZON,
    )
    nearest = (
        f"; it would fit from {layouts.at(fits.starts_at)} until {layouts.at(fits.ends_at)}"
        if fits
        else ""
    )
    problems = []
    if in_the_way:
        problems.append(
            closing.Problem(
                "bookings_in_the_way",
                "starts_at",
                f"{len(in_the_way)} booking{'s' if len(in_the_way) > 1 else ''} would lose what was"
                f" promised: {_names(in_the_way)}{nearest}",
            )
        )
    if meets_other:
        problems.append(
            closing.Problem(
                "layout_overlaps",
                "starts_at",
                f"another layout of {plan.node} is planned for some of that time{nearest}",
            )
        )
    raise hardware.LayoutRefused(problems)


def _losing_slots(plan: hardware.Plan, gone: set[int]) -> set[str]:
    """Return the types of which a unit carries fewer containers once the layout stands."""
    by_type: dict[str, list[int]] = {}
    for each in inventory.own_devices(plan.node):
        if each.state == DeviceState.IN_SERVICE and each.pk not in gone:
            by_type.setdefault(each.resource_name, []).append(each.replicas)
    is_shared = bool(plan.node.pool and plan.node.pool.is_shared)
    return {
        name
        for name, replicas in by_type.items()
        if name in plan.cut
        and promise.slots([*replicas, *[1] * plan.cut[name]], is_shared=is_shared)
        < promise.slots(replicas, is_shared=is_shared)
    }


def _live(node: Node, now: datetime) -> QuerySet[Reservation]:
    return (
        Reservation.objects.filter(node=node)
        .holding_capacity()
        .ending_after(now)
        .select_related("team", "requested_by")
        .order_by("starts_at", "pk")
    )


def _names(bookings: list[Reservation]) -> str:
    named = [
        f"{each.public_id} of {each.team.name} ({layouts.at(each.starts_at)} to"
        f" {layouts.at(each.ends_at)})"
        for each in bookings[:NAMED]
    ]
    more = len(bookings) - NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _book_out(layout: PlannedLayout, displaced: Iterable[Device]) -> None:
    """Hold for nobody what does not exist: the displaced meanwhile, the planned otherwise."""
    times = layouts.Times(layout.starts_at, layout.ends_at)
    gone, there = times.displaced_are_gone, times.planned_exist
    during = TimestamptzRange(gone.starts_at, gone.ends_at)
    holds = [DeviceHold(device=each, during=during) for each in displaced]
    for each in layout.devices.all():
        holds.append(DeviceHold(device=each, during=TimestamptzRange(None, there.starts_at)))
        holds.append(DeviceHold(device=each, during=TimestamptzRange(there.ends_at, None)))
    DeviceHold.objects.bulk_create(holds)


def _book_in(layout: PlannedLayout) -> None:
    """Let the displaced devices exist throughout; the planned ones exist no more at all."""
    gone = layouts.Times(layout.starts_at, layout.ends_at).displaced_are_gone
    DeviceHold.objects.filter(
        reservation=None,
        device__in=inventory.displaced_by(layout),
        during=TimestamptzRange(gone.starts_at, gone.ends_at, "[)"),
    ).delete()
