"""The hardware as cards.  Pure: rows in, finished text out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from gpuaas.inventory import layouts
from gpuaas.portal.cards.bookings import Badge

if TYPE_CHECKING:
    from gpuaas.inventory.models import Closure, Device, Node, PlannedLayout
    from gpuaas.inventory.selectors import TypeCount

TONES: Final = {
    "in_service": "success",
    "draining": "warning",
    "failed": "danger",
    "retired": "secondary",
}


@dataclass(frozen=True, slots=True)
class TypeLine:
    """One type on one node: what is there, what is in service, what the cluster shows."""

    resource_name: str
    total: int
    in_service: int
    reported: int | None

    @property
    def is_short(self) -> bool:
        """Whether the cluster shows fewer than are in service."""
        return self.reported is not None and self.reported < self.in_service


@dataclass(frozen=True, slots=True)
class NodeCard:
    """One node."""

    number: int
    name: str
    cluster: str
    pool: str
    badge: Badge
    is_schedulable: bool
    cpu_millicores: int
    memory_mib: int
    storage_gib: int
    types: tuple[TypeLine, ...]
    reported_at: datetime | None
    frozen_because: str
    labels_differ: str


@dataclass(frozen=True, slots=True)
class DeviceCard:
    """One device."""

    number: int
    name: str
    product: str
    memory_mib: int
    share: str
    gpu: str
    replicas: int
    uuid: str
    badge: Badge
    reason: str
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClosureCard:
    """One closure."""

    number: int
    target: str
    kind: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    is_open: bool
    may_cancel: bool


@dataclass(frozen=True, slots=True)
class LayoutCard:
    """One planned layout."""

    number: int
    title: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    badge: Badge
    note: str
    may_cancel: bool


def layout_card(layout: "PlannedLayout") -> LayoutCard:
    """Return the card of ``layout``."""
    state = layouts.State(layout.state)
    tone = "secondary" if state == layouts.State.PLANNED else "warning"
    if state in {layouts.State.FAILED, layouts.State.ROLLING_BACK} or layout.is_late:
        tone = "danger"
    elif state == layouts.State.STANDS:
        tone = "success"
    return LayoutCard(
        number=layout.pk,
        title=str(layout),
        reason=layout.reason,
        starts_at=layout.starts_at,
        ends_at=layout.ends_at,
        badge=Badge(state.value, state.label, tone),
        note=layout.state_reason,
        may_cancel=state == layouts.State.PLANNED,
    )


def node_card(node: "Node", types: "Iterable[TypeCount]") -> NodeCard:
    """Return the card of ``node`` with ``types`` on it."""
    reported: Mapping[str, int] | None = node.reported_devices
    return NodeCard(
        number=node.pk,
        name=node.name,
        cluster=str(node.cluster),
        pool=str(node.pool) if node.pool else "",
        badge=_node_badge(node),
        is_schedulable=node.is_schedulable,
        cpu_millicores=node.cpu_millicores,
        memory_mib=node.memory_mib,
        storage_gib=node.storage_gib,
        types=tuple(
            TypeLine(
                each.resource_name,
                each.total,
                each.in_service,
                None if reported is None else reported.get(each.resource_name, 0),
            )
            for each in types
        ),
        reported_at=node.reported_at,
        frozen_because=node.frozen_because,
        labels_differ=node.labels_differ,
    )


def device_card(device: "Device") -> DeviceCard:
    """Return the card of ``device``; unknown things are a dash."""
    return DeviceCard(
        number=device.pk,
        name=f"{device.resource_name} #{device.ordinal}"
        + ("" if device.layout_id is None else gettext(" (planned layout)")),
        product=device.product,
        memory_mib=device.memory_mib,
        share=f"{device.compute_share * 100:.0f} %",
        gpu="" if device.gpu_index is None else f"GPU {device.gpu_index}",
        replicas=device.replicas,
        uuid=device.uuid or "",
        badge=Badge(device.state, device.get_state_display(), TONES[device.state]),
        reason=device.state_reason,
        changed_at=device.state_changed_at,
    )


def closure_card(closure: "Closure", *, now: datetime) -> ClosureCard:
    """Return the card of ``closure``."""
    target = (
        gettext("Pool {pool}").format(pool=closure.pool)
        if closure.pool
        else gettext("Node {node}").format(node=closure.node)
    )
    return ClosureCard(
        number=closure.pk,
        target=target,
        kind=closure.get_kind_display(),
        reason=closure.reason,
        starts_at=closure.starts_at,
        ends_at=closure.ends_at,
        is_open=closure.starts_at <= now,
        may_cancel=closure.layout_id is None,
    )


def _node_badge(node: "Node") -> Badge:
    if node.is_withdrawn:
        return Badge("withdrawn", gettext("Out of service"), "warning")
    if not node.is_schedulable:
        return Badge("unschedulable", gettext("Closed by its cluster"), "warning")
    if not node.is_ready:
        return Badge("not_ready", gettext("Not ready"), "danger")
    if node.frozen_because:
        return Badge("frozen", gettext("Nothing starts"), "warning")
    return Badge("ready", gettext("In service"), "success")
