"""A device that its cluster stops to show fails, and comes back; an administrator's word stays."""

from collections.abc import Collection

import pytest
from pytest_django import DjangoAssertNumQueries

from gpuaas.inventory import services
from gpuaas.inventory.models import Device, DeviceState, Node
from gpuaas.notifications.models import OutboxMessage
from tests import make
from tests.make import SLICE

pytestmark = pytest.mark.django_db
ALL = ("MIG-0", "MIG-1")


@pytest.fixture
def node() -> Node:
    made = make.node(devices={SLICE: 2})
    for device in made.devices.all():
        Device.objects.filter(pk=device.pk).update(uuid=f"MIG-{device.ordinal}")
    return made


def look(node: Node, minutes: float, shown: Collection[str] = ALL) -> tuple[str, ...]:
    return services.record_presence(
        cluster=node.cluster, shown={node.name: shown}, now=make.at(minutes / 60)
    )


def states(node: Node) -> list[str]:
    return list(node.devices.order_by("ordinal").values_list("state", flat=True))


def test_a_device_that_is_gone_for_five_minutes_fails_and_comes_back(node: Node) -> None:
    assert look(node, 0, ["MIG-0"]) == ()
    assert look(node, 4, ["MIG-0"]) == ()
    assert states(node) == ["in_service", "in_service"]

    (line,) = look(node, 5, ["MIG-0"])

    assert line.endswith("failed: its cluster has not shown it since 2026-03-01 12:00 UTC")
    assert states(node) == ["in_service", "failed"]
    assert OutboxMessage.objects.filter(event="device.failed").count() == 1
    assert look(node, 6, ["MIG-0"]) == ()

    (back,) = look(node, 7)
    assert back.endswith("is back: its cluster shows it again")
    assert states(node) == ["in_service", "in_service"]
    assert look(node, 8) == ()


def test_a_driver_that_restarts_costs_nothing(node: Node) -> None:
    look(node, 0, [])
    look(node, 2)

    assert look(node, 6, []) == ()  # it is missing anew, since just now
    assert states(node) == ["in_service", "in_service"]


@pytest.mark.parametrize("word", [DeviceState.FAILED, DeviceState.DRAINING, DeviceState.RETIRED])
def test_an_administrators_word_stays(node: Node, word: DeviceState) -> None:
    device = node.devices.get(ordinal=1)
    look(node, 0, ["MIG-0"])
    services.set_device_state(device=device, state=word, reason="smells", actor=None, now=make.NOON)

    look(node, 6, ["MIG-0"])
    look(node, 7)

    assert states(node) == ["in_service", word.value]


def test_what_cannot_be_told_is_left_alone(node: Node) -> None:
    Device.objects.filter(ordinal=1).update(uuid=None)
    for minutes in (0, 6):
        services.record_presence(cluster=node.cluster, shown={}, now=make.at(minutes / 60))
        look(node, minutes, ["MIG-0"])
    Node.objects.update(is_ready=False)
    look(node, 7, [])
    look(node, 13, [])

    assert states(node) == ["in_service", "in_service"]


def test_a_look_at_which_nothing_changed_costs_one_query(
    node: Node, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        look(node, 0)
