"""Bookings: when there is room, what happened to them, what may be booked at all."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gpuaas.api import fields
from gpuaas.api.shapes import Shape
from gpuaas.inventory.models import Device
from gpuaas.inventory.promise import Guarantee, Promise
from sessions import selectors


class HoursOutput(Shape):
    """How many devices are free in each hour, from the hour of ``starts_at`` on."""

    starts_at = serializers.DateTimeField()
    hours = serializers.IntegerField()
    free = serializers.ListField(child=serializers.IntegerField())


class CalendarEntryOutput(Shape):
    """Taken time: whose it is, and more of it if one may see the booking.

    ``whose`` is ``own``, ``team``, ``others``, or ``absent``: the device does not exist then,
    because its GPU is planned to be cut otherwise.
    """

    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    whose = serializers.CharField()
    reservation = serializers.UUIDField(required=False)
    team = serializers.CharField(required=False)
    requested_by = serializers.CharField(required=False)
    purpose = serializers.CharField(required=False)


class PromisedDeviceOutput(Shape):
    """A device, its part of its GPU, and who else is on it while it is booked.

    ``guarantee`` is as in a pool's types.  Where ``is_pinned`` is false, a container gets any
    device of this type and node that is free, not necessarily this one.
    """

    node = serializers.CharField()
    resource_name = serializers.CharField()
    ordinal = serializers.IntegerField()
    gpu_index = serializers.IntegerField(allow_null=True)
    memory_mib = serializers.IntegerField()
    compute_share = serializers.CharField()
    guarantee = serializers.ChoiceField(choices=[each.value for each in Guarantee])
    slots = serializers.IntegerField(allow_null=True)
    is_pinned = serializers.BooleanField()


class HeldDeviceOutput(PromisedDeviceOutput):
    """A device that a booking holds."""

    uuid = serializers.CharField(allow_null=True)


class CalendarRowOutput(PromisedDeviceOutput):
    """A device, and what is booked on it."""

    bookings = CalendarEntryOutput(many=True)


class CalendarOutput(Shape):
    """Every device of a pool."""

    devices = CalendarRowOutput(many=True)


def promised_device(device: Device, promised: Promise) -> dict[str, Any]:
    """Return what a `PromisedDeviceOutput` is, of ``device``."""
    return {
        "node": device.node.name,
        "resource_name": device.resource_name,
        "ordinal": device.ordinal,
        "gpu_index": device.gpu_index,
        "memory_mib": device.memory_mib,
        "compute_share": str(device.compute_share),
        "guarantee": promised.guarantee.value,
        "slots": promised.slots,
        "is_pinned": promised.is_pinned,
    }


class WindowOutput(Shape):
    """From ``starts_at`` until just before ``ends_at``."""

    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class OfferOutput(WindowOutput):
    """What a booking in trouble can be exchanged for; ``offer`` is the name to accept it by."""

    offer = serializers.CharField()
    pool = serializers.CharField()
    resource_name = serializers.CharField()
    units = serializers.IntegerField()


class ChanceOutput(WindowOutput):
    """What can be posted to book it; until when it is free, and what it costs."""

    pool = serializers.CharField()
    resource_name = serializers.CharField()
    units = serializers.IntegerField()
    cpu_millicores = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    storage_gib = serializers.IntegerField()
    free_until = serializers.DateTimeField()
    cost_minor = serializers.IntegerField()
    currency = serializers.CharField()
    gpu_memory_gb = serializers.IntegerField(allow_null=True)
    is_smaller = serializers.BooleanField()


class FreeWindowsOutput(Shape):
    """The windows in which the wish can be booked, the earliest first."""

    windows = ChanceOutput(many=True)


class AlternativesOutput(Shape):
    """What else does the same work."""

    alternatives = ChanceOutput(many=True)


class ExtensionOutput(Shape):
    """Until when a booking can be extended, null if not at all, and why not further."""

    ends_at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    because = serializers.CharField()
    message = serializers.CharField()


class AddressOutput(Shape):
    """Where the workspace is."""

    url = serializers.CharField()


class KubeconfigOutput(Shape):
    """A kubeconfig, without a secret unless a token was taken; ``login`` says how one logs in."""

    yaml = serializers.CharField()
    namespace = serializers.CharField()
    login = serializers.CharField()


class ClusterTokenOutput(Shape):
    """Where a token of the cluster is; ``problem`` says why the cluster made none."""

    state = serializers.ChoiceField(choices=selectors.TOKEN_STATES)
    asked_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField()


@extend_schema_field(
    {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("field", "name", "from", "to")},
        "required": ["field", "name", "from", "to"],
    }
)
class ChangeField(serializers.DictField):
    """One thing that became another: ``field`` is for programs, the rest is in words."""


class HistoryEntryOutput(Shape):
    """One event in the life of a booking."""

    at = serializers.DateTimeField()
    by = serializers.CharField(allow_null=True)
    action = serializers.CharField()
    what = serializers.CharField()
    reason = serializers.CharField()
    changes = serializers.ListField(child=ChangeField())


def _number() -> Any:
    return serializers.IntegerField(allow_null=True)


class RulesOutput(Shape):
    """What may be booked in a pool; null is no rule."""

    time_zone = serializers.CharField()
    shortest_minutes = _number()
    longest_minutes = _number()
    horizon_days = _number()
    lead_time_minutes = _number()
    concurrent_units = _number()
    gpu_hours_per_week = _number()
    cool_down_minutes = _number()
    quiet_from = fields.LocalTimeField(allow_null=True)
    quiet_until = fields.LocalTimeField(allow_null=True)
    approval_above_units = _number()
    approval_above_minutes = _number()
    approval_above_cost_minor = _number()
    managers_may_approve = serializers.BooleanField()
    hold_minutes = _number()
    no_show_minutes = _number()
    idle_minutes = _number()
    idle_pause_minutes = _number()
    idle_release_minutes = _number()


class UsedOutput(Shape):
    """What counts against the limits."""

    month_from = serializers.DateTimeField()
    spent_minor = serializers.IntegerField()
    week_from = serializers.DateTimeField()
    gpu_hours = serializers.FloatField()
    units_now = serializers.IntegerField()
    no_shows = serializers.IntegerField()


class LeftOutput(Shape):
    """What the limits leave; null is no limit."""

    budget_minor = _number()
    gpu_hours = serializers.FloatField(allow_null=True)
    units_now = _number()


class LimitsOutput(Shape):
    """The limits of a team, null is no limit, with what is used and left."""

    budget_minor = _number()
    longest_minutes = _number()
    horizon_days = _number()
    gpu_hours_per_week = _number()
    concurrent_units = _number()
    approval_above_units = _number()
    approval_above_minutes = _number()
    approval_above_cost_minor = _number()
    currency = serializers.CharField()
    pools = serializers.ListField(child=serializers.CharField())
    used = UsedOutput()
    left = LeftOutput()
