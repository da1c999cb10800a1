"""Writing down that a GPU is cut otherwise for a while, and each step that is made of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.db.models import Max

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.inventory import gpu_operator, layouts, mig, selectors
from gpuaas.inventory.closing import Problem
from gpuaas.inventory.labels import DeviceFacts
from gpuaas.inventory.models import (
    Closure,
    ClosureKind,
    Device,
    DeviceState,
    Node,
    PlannedLayout,
)
from gpuaas.inventory.services.refusals import LayoutRefused, StaleInventory
from gpuaas.notifications import services as notifications

# Far from what an import numbers.
FIRST_ORDINAL: Final = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted: GPU ``gpu_index`` of ``node`` as ``cut``, for a while."""

    node: Node
    gpu_index: int
    cut: Mapping[str, int]
    times: layouts.Times
    reason: str


def check_layout(*, plan: Plan, now: datetime) -> tuple[DeviceFacts, ...]:
    """Return the devices that ``plan`` makes.

    Raises:
        LayoutRefused: with every reason against that has nothing to do with bookings.
    """
    times = plan.times
    problems = list(
        layouts.problems_with(
            starts_at=times.starts_at, ends_at=times.ends_at, reason=plan.reason, now=now
        )
    )
    devices = selectors.own_devices(plan.node)
    problems += _cannot_be_told(plan, devices)
    if problems:
        raise LayoutRefused(problems)
    made = tuple(_made(plan, devices))
    others = [each for each in devices if each.gpu_index != plan.gpu_index]
    try:
        gpu_operator.layout_of([*(selectors.facts_of_device(each) for each in others), *made])
    except gpu_operator.LayoutUnknown as error:
        raise LayoutRefused([Problem("cut_impossible", "cut", str(error))]) from error
    return made


def write_down(
    *, plan: Plan, made: Sequence[DeviceFacts], actor: User, now: datetime
) -> PlannedLayout:
    """Write ``plan`` with its devices, and close the node while it is cut, there and back.

    The caller has checked it, holds the pool's lock, and books out what does not exist meanwhile.
    """
    times = plan.times
    layout = PlannedLayout.objects.create(
        node=plan.node,
        gpu_index=plan.gpu_index,
        cut=dict(plan.cut),
        starts_at=times.starts_at,
        ends_at=times.ends_at,
        reason=plan.reason,
        state_changed_at=now,
        created_by=actor,
        created_at=now,
    )
    Device.objects.bulk_create(_rows(layout, made))
    Closure.objects.bulk_create(
        Closure(
            node=plan.node,
            kind=ClosureKind.LAYOUT,
            starts_at=change.starts_at,
            ends_at=change.ends_at,
            reason=f"GPU {plan.gpu_index} is cut anew"[:200],
            created_by=actor,
            created_at=now,
            layout=layout,
        )
        for change in times.changes
    )
    _record(layout, "layout.planned", actor, now, reason=plan.reason)
    return layout


def advance(
    *,
    layout: PlannedLayout,
    to: layouts.State,
    reason: str,
    actor: User | None,
    now: datetime,
    shown: Mapping[str, int] | None = None,
) -> None:
    """Bring ``layout`` into its next state, by compare-and-swap, with all that follows from it.

    ``shown`` is what its node offers by now.  The caller holds the pool's lock.

    Raises:
        StaleInventory: it is in another state meanwhile, or there is no such step.
    """
    before = layouts.State(layout.state)
    changed = to in layouts.TRANSITIONS[before] and PlannedLayout.objects.filter(
        pk=layout.pk, state=before.value
    ).update(state=to.value, state_reason=reason[:300], state_changed_at=now, is_late=False)
    if not changed:
        raise StaleInventory(f"{layout} is not {before.label.lower()} any more: look again")
    own = Device.objects.filter(layout=layout)
    if to in {layouts.State.STANDS, layouts.State.OVER}:
        stands = to == layouts.State.STANDS
        own.update(is_present=stands)
        selectors.displaced_by(layout).update(is_present=not stands)
        if shown is not None:  # with the old number, less would seem to be there than is booked
            Node.objects.filter(pk=layout.node_id).update(reported_devices=dict(shown))
    if to in layouts.TERMINAL or to == layouts.State.ROLLING_BACK:
        own.exclude(state=DeviceState.RETIRED).update(
            state=DeviceState.RETIRED,
            state_reason=f"its layout {_END[to]}{reason and f': {reason}'}"[:300],
            state_changed_at=now,
        )
    if to in {layouts.State.CANCELED, layouts.State.FAILED, layouts.State.ROLLING_BACK}:
        Closure.objects.filter(layout=layout, canceled_at=None, starts_at__gt=now).update(
            canceled_at=now
        )
    if to in {layouts.State.CANCELED, layouts.State.FAILED}:
        # What is closed right now was closed for nothing, or is closed for nothing any more.
        Closure.objects.filter(layout=layout, canceled_at=None).update(canceled_at=now)
    _record(layout, "layout.advanced", actor, now, before=before.value, after=to.value, why=reason)
    if to in {layouts.State.FAILED, layouts.State.ROLLING_BACK} and reason:
        tell("layout.failed", layout=layout, reason=reason, now=now)
    layout.refresh_from_db()


def note_late(*, layout: PlannedLayout, reason: str, now: datetime) -> bool:
    """Tell people, once for each state, that ``layout`` does not get on; return whether it did."""
    told = PlannedLayout.objects.filter(pk=layout.pk, state=layout.state, is_late=False).update(
        is_late=True, state_reason=reason[:300]
    )
    if told:
        _record(layout, "layout.late", None, now, reason=reason)
        tell("layout.late", layout=layout, reason=reason, now=now)
    return bool(told)


def tell(event: str, *, layout: PlannedLayout, reason: str, now: datetime) -> None:
    """Tell platform administrators of a layout."""
    notifications.announce(
        event,
        key=f"{event}:{layout.pk}:{layout.state}:{now.isoformat()}",
        subject=f"layout:{layout.pk}",
        team=None,
        at=now,
        data={"layout": str(layout), "node": layout.node.name, "reason": reason},
    )


_END: Final[Mapping[layouts.State, str]] = {
    layouts.State.OVER: "is over",
    layouts.State.CANCELED: "was cancelled",
    layouts.State.FAILED: "failed",
    layouts.State.ROLLING_BACK: "failed",
}


def _cannot_be_told(plan: Plan, devices: Sequence[Device]) -> Iterator[Problem]:
    """Yield why nobody could cut the node, or why there would be nothing to do."""
    node, gpu = plan.node, plan.gpu_index
    if not node.cluster.gpu_operator_namespace:
        yield Problem(
            "operator_not_told",
            "node",
            f"the GPU Operator of {node.cluster} is not told from here how GPUs are cut: give its"
            " namespace in the admin site",
        )
    if node.pool is None:
        yield Problem("node_without_pool", "node", f"{node} is in no pool: nobody could book it")
    own = [each for each in devices if each.gpu_index == gpu]
    if not own:
        known = sorted({each.gpu_index for each in devices if each.gpu_index is not None})
        names = ", ".join(map(str, known)) or "none"
        yield Problem(
            "gpu_unknown", "gpu_index", f"{node} has no GPU {gpu}; those it is known of: {names}"
        )
        return
    yield from _no_such_cut(plan, devices, Counter(each.resource_name for each in own))


def _no_such_cut(
    plan: Plan, devices: Sequence[Device], now_cut: Mapping[str, int]
) -> Iterator[Problem]:
    if not plan.cut or any(count < 1 for count in plan.cut.values()):
        yield Problem("cut_empty", "cut", "say what the GPU is cut into: a whole one, or slices")
        return
    if dict(now_cut) == dict(plan.cut):
        yield Problem(
            "cut_unchanged",
            "cut",
            f"GPU {plan.gpu_index} is {layouts.in_words(now_cut)} already",
        )
    for name in plan.cut:
        if _memory_of(plan, devices, name) is None:
            yield Problem(
                "cut_unknown", "cut", f"how much memory {name} has is not known for this GPU"
            )


def _product_of(plan: Plan, devices: Sequence[Device], name: str) -> str:
    alike = [each.product for each in devices if each.resource_name == name]
    own = [each.product for each in devices if each.gpu_index == plan.gpu_index]
    return alike[0] if alike else own[0].partition("-MIG-")[0]


def _memory_of(plan: Plan, devices: Sequence[Device], name: str) -> int | None:
    alike = [each.memory_mib for each in devices if each.resource_name == name]
    return min(alike) if alike else mig.memory_mib_of(_product_of(plan, devices, name), name)


def _made(plan: Plan, devices: Sequence[Device]) -> Iterator[DeviceFacts]:
    for name, count in sorted(plan.cut.items()):
        last = Device.objects.filter(node=plan.node, resource_name=name).aggregate(
            last=Max("ordinal")
        )["last"]
        first = max(FIRST_ORDINAL, -1 if last is None else last + 1)
        product = _product_of(plan, devices, name)
        memory_mib = _memory_of(plan, devices, name)
        assert memory_mib is not None  # noqa: S101 -- refused before
        one = DeviceFacts(
            resource_name=name,
            ordinal=first,
            product=product,
            memory_mib=memory_mib,
            replicas=1,
            compute_share=mig.share_of(product, name),
            gpu_index=plan.gpu_index,
        )
        yield from (replace(one, ordinal=first + number) for number in range(count))


def _rows(layout: PlannedLayout, made: Sequence[DeviceFacts]) -> list[Device]:
    return [
        Device(
            node_id=layout.node_id,
            resource_name=each.resource_name,
            ordinal=each.ordinal,
            product=each.product,
            memory_mib=each.memory_mib,
            compute_share=each.compute_share,
            gpu_index=each.gpu_index,
            replicas=each.replicas,
            layout=layout,
            is_present=False,
        )
        for each in made
    ]


def _record(
    layout: PlannedLayout, action: str, actor: User | None, now: datetime, **data: str
) -> None:
    audit.record(
        action,
        subject=f"layout:{layout.pk}",
        actor=actor,
        at=now,
        layout=str(layout),
        starts_at=layout.starts_at.isoformat(),
        ends_at=layout.ends_at.isoformat(),
        team=None,
        **data,
    )
