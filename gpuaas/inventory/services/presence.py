"""Devices that a cluster shows by their UUIDs, and those that it has stopped to show."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from gpuaas.inventory.models import Cluster, Device, DeviceState
from gpuaas.inventory.services.hardware import set_device_state

# A driver that restarts shows nothing for a moment.
FAILED_AFTER: Final = timedelta(minutes=5)


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
