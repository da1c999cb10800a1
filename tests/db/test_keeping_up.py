"""What labels and ResourceSlices say is compared each look; it never changes what can be booked."""

import pytest

from gpuaas.audit.models import AuditEvent
from gpuaas.inventory import selectors, services
from gpuaas.inventory.labels import Labelled, NodeReport
from gpuaas.inventory.models import Device, DeviceState, Node
from gpuaas.inventory.services import presence
from gpuaas.notifications.models import OutboxMessage
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db
PRODUCT = "NVIDIA-RTX-PRO-6000"
AS_KNOWN = {
    GPU: Labelled(1, PRODUCT, 97_887),
    SLICE: Labelled(4, f"{PRODUCT}-MIG-1g.24gb", 24_064),
}


@pytest.fixture
def node() -> Node:
    return make.node()


def look(node: Node, labelled: dict[str, Labelled], *, mig_state: str = "", hour: float = 0) -> str:
    report = NodeReport(
        node.name,
        {GPU: 1, SLICE: 4},
        is_ready=True,
        slots={GPU: 4, SLICE: 8},
        mig_state=mig_state,
        labelled=labelled,
    )
    services.record_reports(cluster=node.cluster, reports=[report], now=make.at(hour))
    node.refresh_from_db()
    return node.labels_differ


def test_labels_that_agree_say_nothing(node: Node) -> None:
    assert look(node, AS_KNOWN) == ""
    assert look(node, {}) == ""
    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize(
    ("labelled", "why"),
    [
        ({GPU: AS_KNOWN[GPU]}, f"its labels say 0 of {SLICE}, the inventory 4"),
        (
            {**AS_KNOWN, "nvidia.com/mig-2g.48gb": Labelled(2, PRODUCT, 48_000)},
            "its labels say 2 of nvidia.com/mig-2g.48gb, the inventory 0",
        ),
        (
            {**AS_KNOWN, SLICE: Labelled(3, PRODUCT, 24_064)},
            f"its labels say 3 of {SLICE}, the inventory 4",
        ),
        (
            {**AS_KNOWN, GPU: Labelled(1, "NVIDIA-H100", 97_887)},
            f"its labels say that {GPU} is NVIDIA-H100, the inventory {PRODUCT}",
        ),
        (
            {**AS_KNOWN, GPU: Labelled(1, PRODUCT, 48_000)},
            f"its labels say 48000 MiB for {GPU}, the inventory 97887",
        ),
    ],
)
def test_what_differs_is_kept_and_told_once(
    node: Node, labelled: dict[str, Labelled], why: str
) -> None:
    before = list(Device.objects.order_by("pk").values())

    assert look(node, labelled) == why
    assert look(node, labelled, hour=1) == why

    [message] = OutboxMessage.objects.filter(event="node.differs")
    assert message.data["reason"] == why
    assert list(Device.objects.order_by("pk").values()) == before
    assert look(node, AS_KNOWN, hour=2) == ""
    assert OutboxMessage.objects.filter(event="node.differs").count() == 1
    assert AuditEvent.objects.filter(action="node.labels_differ").count() == 2


def test_a_broken_device_may_be_labelled_or_not(node: Node) -> None:
    Device.objects.filter(resource_name=SLICE, ordinal=0).update(state=DeviceState.FAILED)

    assert look(node, AS_KNOWN) == ""
    assert look(node, {**AS_KNOWN, SLICE: Labelled(3, PRODUCT, 24_064)}) == ""


def test_a_node_that_is_being_partitioned_says_nothing(node: Node) -> None:
    assert look(node, {}, mig_state="pending") == ""
    assert look(node, {GPU: AS_KNOWN[GPU]}, mig_state="pending") == ""


def test_a_difference_somebody_else_noted_is_not_told_twice(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_on = selectors.known_on

    def meanwhile(cluster: object) -> object:
        Node.objects.update(labels_differ="somebody was here")
        return known_on(cluster)  # type: ignore[arg-type]

    monkeypatch.setattr(selectors, "known_on", meanwhile)

    look(node, {GPU: AS_KNOWN[GPU]})

    assert not OutboxMessage.objects.exists()


def uuids(node: Node) -> list[str | None]:
    return list(node.devices.order_by("resource_name", "ordinal").values_list("uuid", flat=True))


def test_devices_without_a_uuid_get_the_ones_that_are_shown() -> None:
    node = make.node(devices={SLICE: 2, GPU: 1})
    Device.objects.filter(resource_name=SLICE, ordinal=0).update(uuid="MIG-0")
    shown = {node.name: {"MIG-1": SLICE, "MIG-0": SLICE, "GPU-9": GPU}}

    lines = services.record_uuids(cluster=node.cluster, shown=shown, now=make.NOON)

    assert len(lines) == 2
    assert uuids(node) == ["GPU-9", "MIG-0", "MIG-1"]
    assert services.record_uuids(cluster=node.cluster, shown=shown, now=make.NOON) == ()
    assert AuditEvent.objects.filter(action="device.identified").count() == 2


@pytest.mark.parametrize("shown", [["MIG-0"], ["MIG-0", "MIG-1", "MIG-2"], []])
def test_where_it_would_have_to_guess_it_does_not(shown: list[str]) -> None:
    node = make.node(devices={SLICE: 2})

    found = {node.name: dict.fromkeys(shown, SLICE)}

    assert services.record_uuids(cluster=node.cluster, shown=found, now=make.NOON) == ()


def test_slices_of_two_gpus_are_not_told_apart() -> None:
    node = make.node(devices={SLICE: 2})
    for device in node.devices.all():
        Device.objects.filter(pk=device.pk).update(gpu_index=device.ordinal)

    shown = {node.name: {"MIG-0": SLICE, "MIG-1": SLICE}}

    assert services.record_uuids(cluster=node.cluster, shown=shown, now=make.NOON) == ()
    assert uuids(node) == [None, None]


def test_a_uuid_that_another_device_has_is_not_given_away() -> None:
    node, other = make.node(devices={SLICE: 1}), make.node(devices={SLICE: 1})
    Device.objects.filter(node=other).update(uuid="MIG-0")

    shown = {node.name: {"MIG-0": SLICE}}

    assert services.record_uuids(cluster=node.cluster, shown=shown, now=make.NOON) == ()


def test_a_device_is_identified_once(node: Node) -> None:
    device = node.devices.get(resource_name=GPU)
    Device.objects.filter(pk=device.pk).update(uuid="GPU-first")

    assert presence._identified(device, "GPU-second", make.NOON) == []  # noqa: SLF001 -- a race

    device.refresh_from_db()
    assert device.uuid == "GPU-first"
