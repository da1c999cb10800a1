"""Taking devices and nodes out of service, and putting them back."""

from datetime import datetime

from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.inventory.models import Device, DeviceState, Node
from gpuaas.inventory.services import guards
from gpuaas.inventory.services.refusals import ReasonMissing, StaleInventory, Unchanged
from gpuaas.notifications import services as notifications


def set_device_state(
    *, device: Device, state: DeviceState, reason: str, actor: User | None, now: datetime
) -> None:
    """Put ``device`` into ``state``; imports leave it there.  An ``actor`` None is the platform.

    Bookings on it are not touched: whoever calls this decides about them.

    Raises:
        PlatformAdminsOnly: the actor is neither.
        ReasonMissing: it would go out of service and nobody says why.
        Unchanged: it is in that state already.
        StaleInventory: somebody else changed its state since it was read.
    """
    guards.check_actor(actor)
    before, reason = DeviceState(device.state), reason.strip()
    if state == before and not device.retired_by_import:
        raise Unchanged(f"{device} is {before.label.lower()} already")
    if state != DeviceState.IN_SERVICE:
        _check_reason(reason)
    with transaction.atomic():
        guards.keep_bookings_out(device.node.pool_id)
        changed = Device.objects.filter(
            pk=device.pk, state=before, retired_by_import=device.retired_by_import
        ).update(
            state=state,
            state_reason=reason,
            state_changed_at=now,
            retired_by_import=False,
            missing_since=None,
        )
        if not changed:
            raise StaleInventory(f"{device} is not {before.label.lower()} any more: look again")
        audit.record(
            "device.state_changed",
            subject=f"device:{device.pk}",
            actor=actor,
            at=now,
            device=str(device),
            before=before.value,
            after=state.value,
            reason=reason,
        )
        if state == DeviceState.FAILED:
            _tell_of_failure(device, reason, actor, now)
    device.refresh_from_db()


def set_node_schedulable(
    *, node: Node, is_schedulable: bool, reason: str, actor: User | None, now: datetime
) -> None:
    """Take ``node`` out of booking, or put it back; imports do not bring it back.

    Raises:
        PlatformAdminsOnly, ReasonMissing, Unchanged, StaleInventory: as for a device.
    """
    guards.check_actor(actor)
    reason = reason.strip()
    if is_schedulable == node.is_schedulable and is_schedulable != node.is_withdrawn:
        raise Unchanged(f"{node} is {'in' if is_schedulable else 'out of'} service already")
    if not is_schedulable:
        _check_reason(reason)
    with transaction.atomic():
        guards.keep_bookings_out(node.pool_id)
        changed = Node.objects.filter(
            pk=node.pk, is_schedulable=node.is_schedulable, is_withdrawn=node.is_withdrawn
        ).update(is_schedulable=is_schedulable, is_withdrawn=not is_schedulable)
        if not changed:
            raise StaleInventory(f"{node} was changed meanwhile: look again")
        audit.record(
            "node.schedulable_changed",
            subject=f"node:{node.pk}",
            actor=actor,
            at=now,
            node=node.name,
            is_schedulable=is_schedulable,
            reason=reason,
        )
    node.refresh_from_db()


def _check_reason(reason: str) -> None:
    if not reason:
        raise ReasonMissing("say why it goes out of service: people who booked it will ask")


def _tell_of_failure(device: Device, reason: str, actor: User | None, now: datetime) -> None:
    notifications.announce(
        "device.failed",
        key=f"device.failed:{device.pk}:{now.isoformat()}",
        subject=f"device:{device.pk}",
        team=None,
        at=now,
        data={"device": str(device), "reason": reason, "actor": actor and actor.pk},
    )
