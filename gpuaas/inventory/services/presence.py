"""Devices that a cluster shows by their UUIDs, and those that it has stopped to show."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from gpuaas.audit import services as audit
from gpuaas.inventory.models import Cluster, Device, DeviceState
from gpuaas.inventory.services.hardware import set_device_state

# A driver that restarts shows nothing for a moment.
FAILED_AFTER: Final = timedelta(minutes=5)


def record_uuids(
    *, cluster: Cluster, shown: Mapping[str, Mapping[str, str]], now: datetime
) -> tuple[str, ...]:
    """Give devices without a UUID the one that ``cluster`` shows; return a line for each.

    ``shown`` is by node the resource name of each UUID.  Only where nothing is to be guessed: as
    many of a type are without one as are shown and nobody's, and all lie on one GPU, or nobody
    knows on which.  What is left is for an inventory file to say.
    """
    nameless: defaultdict[tuple[str, str], list[Device]] = defaultdict(list)
    for device in (
        Device.objects.filter(node__cluster=cluster, node__name__in=list(shown), uuid=None)
        .exclude(state=DeviceState.RETIRED)
        .select_related("node")
        .order_by("ordinal", "pk")
    ):
        nameless[device.node.name, device.resource_name].append(device)
    if not nameless:
        return ()
    all_shown = [uuid for uuids in shown.values() for uuid in uuids]
    taken = set(Device.objects.filter(uuid__in=all_shown).values_list("uuid", flat=True))
    lines = []
    for (node, name), devices in nameless.items():
        free = sorted(
            uuid for uuid, kind in shown[node].items() if kind == name and uuid not in taken
        )
        if len(free) != len(devices) or len({device.gpu_index for device in devices}) > 1:
            continue
        for device, uuid in zip(devices, free, strict=True):
            lines += _identified(device, uuid, now)
    return tuple(lines)


def _identified(device: Device, uuid: str, now: datetime) -> list[str]:
    with transaction.atomic():
        if not Device.objects.filter(pk=device.pk, uuid=None).update(uuid=uuid):
            return []
        audit.record(
            "device.identified",
            subject=f"device:{device.pk}",
            actor=None,
            at=now,
            device=str(device),
            uuid=uuid,
        )
    return [f"device {device} is {uuid}"]


def record_presence(
    *, cluster: Cluster, shown: Mapping[str, Collection[str]], now: datetime
) -> tuple[str, ...]:
    """Keep which devices ``cluster`` shows, by node; return a line for each whose state changes.

    One in service that is not shown for five minutes fails, and people are told; it comes back by
    itself when it is shown again.  What an administrator put out of service stays there.  Devices
    of nodes that are not in ``shown`` or not ready are left alone, and so are those whose UUID
    nobody knows.
    """
    there = Device.objects.filter(
        node__cluster=cluster, node__is_ready=True, node__name__in=list(shown), uuid__isnull=False
    )
    lines = []
    for device in there.select_related("node").order_by("pk"):
        is_shown = device.uuid in shown[device.node.name]
        if not is_shown and device.state == DeviceState.IN_SERVICE:
            lines += _missed(device, now)
        elif is_shown and device.missing_since is not None:
            lines += _came_back(device, now)
    return tuple(lines)


def _missed(device: Device, now: datetime) -> list[str]:
    since = device.missing_since
    if since is None:
        Device.objects.filter(pk=device.pk, missing_since=None).update(missing_since=now)
        return []
    if now - since < FAILED_AFTER:
        return []
    reason = f"its cluster has not shown it since {since:%Y-%m-%d %H:%M} UTC"
    set_device_state(device=device, state=DeviceState.FAILED, reason=reason, actor=None, now=now)
    Device.objects.filter(pk=device.pk, state=DeviceState.FAILED).update(missing_since=since)
    return [f"device {device} failed: {reason}"]


def _came_back(device: Device, now: datetime) -> list[str]:
    if device.state != DeviceState.FAILED:
        Device.objects.filter(pk=device.pk).update(missing_since=None)
        return []
    reason = "its cluster shows it again"
    set_device_state(
        device=device, state=DeviceState.IN_SERVICE, reason=reason, actor=None, now=now
    )
    return [f"device {device} is back: {reason}"]
