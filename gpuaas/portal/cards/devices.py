"""The devices of a booking, and whose they are meanwhile.  Pure: rows in, finished text out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from gpuaas.inventory.promise import Guarantee
from gpuaas.portal import wording

if TYPE_CHECKING:
    from gpuaas.inventory.models import Device
    from gpuaas.inventory.promise import Promise
    from gpuaas.inventory.resource_types import ResourceType
    from reservations.models import DeviceHold


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One booked device: what it is, its memory and compute, and its own number if one knows it."""

    name: str
    facts: str
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class DevicesCard:
    """Devices and the guarantee that goes with them; ``note`` says what cannot be said."""

    lines: tuple[DeviceLine, ...]
    guarantee: str
    means: str
    note: str
    is_shared: bool


@dataclass(frozen=True, slots=True)
class PromisedType:
    """One type of a pool, and whose a booked device of it is."""

    title: str
    memory: str
    compute: str
    guarantee: str
    means: str
    is_shared: bool


def promised_types(types: "Iterable[ResourceType]") -> tuple[PromisedType, ...]:
    """Return what is promised of each type."""
    return tuple(
        PromisedType(
            title=wording.resource(each.resource_name),
            memory=wording.gpu_memory(each.memory_mib),
            compute=wording.compute(each.compute_share),
            guarantee=wording.guarantee(each.promise, each.resource_name),
            means=wording.what_guarantee_means(each.promise),
            is_shared=each.promise.guarantee == Guarantee.SHARED,
        )
        for each in types
        if each.promise is not None
    )


def devices_card(
    holds: "Iterable[DeviceHold]", *, promised: "Promise", node: str
) -> DevicesCard | None:
    """Return the card of the devices that are held, None where none is.

    Only where pods get the very device that is held, it is named by number.
    """
    devices = [hold.device for hold in holds]
    if not devices:
        return None
    return DevicesCard(
        lines=tuple(_line(device, promised, node) for device in devices),
        guarantee=wording.guarantee(promised, devices[0].resource_name),
        means=wording.what_guarantee_means(promised),
        note=""
        if promised.is_pinned
        else gettext("Which one of {node} a container gets, is decided when it starts.").format(
            node=node
        ),
        is_shared=promised.guarantee == Guarantee.SHARED,
    )


def _line(device: "Device", promised: "Promise", node: str) -> DeviceLine:
    kind = wording.resource(device.resource_name)
    gpu = (
        ""
        if device.gpu_index is None
        else gettext("GPU {gpu_index}, ").format(gpu_index=device.gpu_index)
    )
    place = f"{gpu}{node}" if promised.is_pinned else node
    memory, share = wording.gpu_memory(device.memory_mib), wording.compute(device.compute_share)
    return DeviceLine(
        name=f"{kind} #{device.ordinal}" if promised.is_pinned else kind,
        facts=f"{memory}, {share}, {place}",
        uuid=(device.uuid or "") if promised.is_pinned else "",
    )
