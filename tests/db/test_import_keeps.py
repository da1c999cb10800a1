"""What an import leaves alone: an administrator's word, and what it does not know."""

import dataclasses
from decimal import Decimal

import pytest

from gpuaas.accounts.models import OrganisationRole
from gpuaas.inventory import services
from gpuaas.inventory.labels import DeviceFacts, NodeFacts
from gpuaas.inventory.models import Cluster, Device, DeviceState, Node
from tests import make
from tests.make import SLICE

pytestmark = pytest.mark.django_db
OUT_OF_SERVICE = [state for state in DeviceState if state != DeviceState.IN_SERVICE]
PRODUCT = "NVIDIA-RTX-PRO-6000"


@pytest.fixture
def cluster() -> Cluster:
    return make.cluster()


def slice_of(ordinal: int, uuid: str | None = None) -> DeviceFacts:
    return DeviceFacts(SLICE, ordinal, PRODUCT, 24_064, 2, Decimal("0.25"), uuid=uuid)


def node(*devices: DeviceFacts, pool: str | None = None, name: str = "gpu-1") -> NodeFacts:
    return NodeFacts(name, 1000, 1024, 10, is_schedulable=True, devices=devices, pool=pool)


def bring_in(cluster: Cluster, *nodes: NodeFacts) -> tuple[str, ...]:
    return services.import_nodes(cluster=cluster, nodes=nodes, actor=None, now=make.NOON).changes


def put(state: DeviceState) -> None:
    services.set_device_state(
        device=Device.objects.get(),
        state=state,
        reason="hot",
        actor=make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN),
        now=make.NOON,
    )


@pytest.mark.parametrize("state", OUT_OF_SERVICE)
def test_what_an_administrator_took_out_stays_out(cluster: Cluster, state: DeviceState) -> None:
    bring_in(cluster, node(slice_of(0)))
    put(state)

    assert bring_in(cluster, node(slice_of(0))) == ()
    assert bring_in(cluster, node()) == ()  # gone and
    assert bring_in(cluster, node(slice_of(0))) == ()  # back again
    assert Device.objects.get().state == state
    assert Device.objects.get().state_reason == "hot"


def test_what_is_out_of_service_still_learns_what_changed(cluster: Cluster) -> None:
    bring_in(cluster, node(slice_of(0)))
    put(DeviceState.DRAINING)

    larger = dataclasses.replace(slice_of(0), memory_mib=1)

    assert bring_in(cluster, node(larger)) == (f"~ device gpu-1 {SLICE} #0: memory_mib 24064 -> 1",)
    assert Device.objects.get().state == DeviceState.DRAINING


def test_what_an_import_retired_it_brings_back(cluster: Cluster) -> None:
    bring_in(cluster, node(slice_of(0)))
    bring_in(cluster, node())
    gone = Device.objects.get()
    assert (gone.state, gone.retired_by_import) == (DeviceState.RETIRED, True)
    assert gone.state_reason == "the node does not have it any more"

    bring_in(cluster, node(slice_of(0)))

    back = Device.objects.get()
    assert (back.state, back.retired_by_import) == (DeviceState.IN_SERVICE, False)
    assert back.state_reason == ""


def test_a_node_an_administrator_took_out_stays_out(cluster: Cluster) -> None:
    bring_in(cluster, node())
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)

    def set_schedulable(is_schedulable: bool) -> None:
        services.set_node_schedulable(
            node=Node.objects.get(),
            is_schedulable=is_schedulable,
            reason="fan",
            actor=admin,
            now=make.NOON,
        )

    set_schedulable(False)
    assert bring_in(cluster, node()) == ()
    assert bring_in(cluster) == ()
    assert bring_in(cluster, node()) == ()
    assert not Node.objects.get().is_schedulable

    set_schedulable(True)
    assert bring_in(cluster, node()) == ()
    assert Node.objects.get().is_schedulable


def test_labels_do_not_take_away_what_a_file_told(cluster: Cluster) -> None:
    told = dataclasses.replace(slice_of(0, "MIG-1"), gpu_index=3)
    bring_in(cluster, node(told))

    assert bring_in(cluster, node(slice_of(0))) == ()
    assert (Device.objects.get().uuid, Device.objects.get().gpu_index) == ("MIG-1", 3)


def test_devices_can_exchange_their_uuids(cluster: Cluster) -> None:
    bring_in(cluster, node(slice_of(0, "a"), slice_of(1, "b")))

    assert len(bring_in(cluster, node(slice_of(0, "b"), slice_of(1, "a")))) == 2
    assert Device.objects.get(ordinal=0).uuid == "b"


def test_a_uuid_of_another_cluster_is_refused(cluster: Cluster) -> None:
    bring_in(make.cluster(name="west"), node(slice_of(0, "a")))

    with pytest.raises(services.ImportRefused, match="cluster west"):
        bring_in(cluster, node(slice_of(0, "a")))

    assert not Node.objects.filter(cluster=cluster).exists()


def test_a_node_goes_into_the_pool_it_is_meant_for(cluster: Cluster) -> None:
    make.pool(of=cluster, slug="lab", nodes=0)
    bring_in(cluster, node())

    assert bring_in(cluster, node(pool="lab")) == ("~ node gpu-1: pool None -> lab",)
    assert bring_in(cluster, node(pool="lab")) == ()
    assert bring_in(cluster, node()) == ()
    assert bring_in(cluster, node(), node(name="gpu-2", pool="lab")) == ("+ node gpu-2",)
    assert Node.objects.filter(pool__slug="lab").count() == 2


def test_an_import_neither_moves_a_node_nor_makes_a_pool(cluster: Cluster) -> None:
    make.pool(of=cluster, slug="lab", nodes=0)
    make.pool(of=cluster, slug="other", nodes=0)
    bring_in(cluster, node(pool="lab"))

    with pytest.raises(services.ImportRefused, match="in pool 'lab'"):
        bring_in(cluster, node(pool="other"))
    with pytest.raises(services.ImportRefused, match="no pool 'nowhere'; it has: lab, other"):
        bring_in(cluster, node(pool="nowhere"))
