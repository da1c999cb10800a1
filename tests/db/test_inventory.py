"""Bringing what a cluster reports into the inventory, and asking it."""

import dataclasses
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries

from gpuaas.audit.models import AuditEvent
from gpuaas.inventory import labels, resource_types, selectors, services
from gpuaas.inventory.labels import DeviceFacts, NodeFacts
from gpuaas.inventory.models import Cluster, Device, DeviceState, Node, Pool
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db
REFERENCE = Path(__file__).parents[2] / "simcluster" / "reference.yaml"


def facts() -> NodeFacts:
    documents = yaml.safe_load_all(REFERENCE.read_text())
    return labels.facts_of(next(each for each in documents if each["kind"] == "Node"))


def bring_in(cluster: Cluster, *nodes: NodeFacts, dry_run: bool = False) -> tuple[str, ...]:
    report = services.import_nodes(
        cluster=cluster, nodes=nodes, actor=None, now=make.NOON, dry_run=dry_run
    )
    return report.changes


def state_of(cluster: Cluster) -> list[tuple[str, int, str]]:
    devices = Device.objects.filter(node__cluster=cluster)
    return [(d.resource_name, d.ordinal, d.state) for d in devices]


def test_the_first_import() -> None:
    cluster = make.cluster()

    changes = bring_in(cluster, facts())

    assert changes == (
        "+ node gpu-node-1",
        f"+ device gpu-node-1 {GPU} #0",
        *(f"+ device gpu-node-1 {SLICE} #{n}" for n in range(4)),
    )
    node = Node.objects.get(cluster=cluster)
    assert (node.cpu_millicores, node.memory_mib, node.storage_gib) == (127_000, 772_096, 25_983)
    assert node.pool is None
    assert Device.objects.get(resource_name=GPU).replicas == 4
    assert list(AuditEvent.objects.get().data["changes"]) == list(changes)


def test_the_second_import_of_the_same_changes_nothing() -> None:
    cluster = make.cluster()
    bring_in(cluster, facts())

    assert bring_in(cluster, facts()) == ()
    assert AuditEvent.objects.count() == 1


def test_a_dry_run_tells_the_changes_and_makes_none() -> None:
    cluster = make.cluster()

    changes = bring_in(cluster, facts(), dry_run=True)

    assert "+ node gpu-node-1" in changes
    assert not Node.objects.exists()
    assert not AuditEvent.objects.exists()
    assert bring_in(cluster, facts()) == changes


def test_a_device_that_is_gone_is_retired_and_comes_back() -> None:
    cluster, node = make.cluster(), facts()
    bring_in(cluster, node)
    without = dataclasses.replace(node, devices=node.devices[:-1])

    assert bring_in(cluster, without) == (f"- device gpu-node-1 {SLICE} #3",)
    assert (SLICE, 3, "retired") in state_of(cluster)
    assert bring_in(cluster, without) == ()
    assert bring_in(cluster, node) == (
        f"~ device gpu-node-1 {SLICE} #3: state retired -> in_service",
    )
    assert (SLICE, 3, "in_service") in state_of(cluster)


def test_a_node_that_is_gone_is_not_booked_any_more_and_comes_back() -> None:
    cluster, node = make.cluster(), facts()
    bring_in(cluster, node)

    assert bring_in(cluster) == ("- node gpu-node-1",)
    assert not Node.objects.get().is_schedulable
    assert bring_in(cluster) == ()
    assert bring_in(cluster, node) == ("~ node gpu-node-1: is_schedulable False -> True",)


def test_what_changed_is_named() -> None:
    cluster, node = make.cluster(), facts()
    bring_in(cluster, node)
    gpu = dataclasses.replace(node.devices[0], replicas=8)

    changes = bring_in(
        cluster,
        dataclasses.replace(node, cpu_millicores=1000, devices=(gpu, *node.devices[1:])),
    )

    assert changes == (
        "~ node gpu-node-1: cpu_millicores 127000 -> 1000",
        f"~ device gpu-node-1 {GPU} #0: replicas 4 -> 8",
    )


def test_storage_stays_what_it_was_at_first() -> None:
    cluster, node = make.cluster(), facts()
    bring_in(cluster, node)

    # What a node reports shrinks with every volume made from it.
    assert bring_in(cluster, dataclasses.replace(node, storage_gib=1)) == ()
    assert Node.objects.get().storage_gib == 25_983


def test_another_clusters_node_of_the_same_name_is_another_node() -> None:
    one, other = make.cluster(), make.cluster()
    bring_in(one, facts())

    bring_in(other, facts())
    bring_in(other)

    assert Node.objects.get(cluster=one).is_schedulable
    assert not Node.objects.get(cluster=other).is_schedulable


def test_the_default_pool_takes_the_nodes_that_are_in_none() -> None:
    cluster = make.cluster(name="lab")
    special = make.pool(of=cluster, nodes=1)
    bring_in(cluster, facts())

    pool = services.ensure_default_pool(cluster=cluster)

    assert (pool.slug, pool.name) == ("lab", "Lab")
    assert [node.name for node in pool.nodes.all()] == ["gpu-node-1"]
    assert special.nodes.count() == 1
    assert services.ensure_default_pool(cluster=cluster) == pool


def test_a_cluster_gets_its_new_address_and_keeps_its_name() -> None:
    def ensure(display_name: str, address: str) -> Cluster:
        return services.ensure_cluster(
            name="lab", display_name=display_name, workspace_url_template=address
        )

    ensure("The lab", "https://{namespace}.old/")
    ensure("Another name", "https://{namespace}.new/")

    cluster = Cluster.objects.get()
    assert str(cluster) == "The lab"
    assert cluster.workspace_url_template == "https://{namespace}.new/"


# --- selectors ---------------------------------------------------------------------------------


def test_resource_types_are_counted_per_pool_and_per_node() -> None:
    pool = make.pool(devices={SLICE: 4, GPU: 1})
    make.node(of=pool, devices={SLICE: 2})
    make.node(of=pool, devices={GPU: 9}, is_schedulable=False)
    retired = make.node(of=pool, devices={})
    make.device(of=retired, resource_name=GPU, state=DeviceState.RETIRED)

    gpu, mig_slice = resource_types.of(pool)

    assert (gpu.resource_name, gpu.devices, gpu.devices_per_node) == (GPU, 1, 1)
    assert (mig_slice.resource_name, mig_slice.devices, mig_slice.devices_per_node) == (SLICE, 6, 4)
    assert (gpu.is_whole_gpu, gpu.profile) == (True, "")
    assert (mig_slice.is_whole_gpu, mig_slice.profile) == (False, "1g.24gb")


@pytest.mark.parametrize(
    ("devices", "resource_name", "slots"),
    [
        ({GPU: 1}, GPU, 4),
        ({GPU: 2}, GPU, 1),  # the plugin would mix tenants on time-sliced devices of one type
        ({SLICE: 1}, SLICE, 2),
        ({SLICE: 4}, SLICE, 1),
        ({SLICE: 4}, GPU, 1),
    ],
)
def test_slots_only_where_a_type_has_a_single_device(
    devices: dict[str, int], resource_name: str, slots: int
) -> None:
    node = make.node(devices=devices)

    assert selectors.slots_per_unit(node, resource_name) == slots


def test_the_fleets_types_include_retired_ones() -> None:
    node = make.node(devices={GPU: 1})
    make.device(of=node, resource_name=SLICE, state=DeviceState.RETIRED)
    make.node(devices={"example.com/other": 1})

    assert selectors.gpu_resource_names(node.cluster) == {GPU, SLICE}


def test_gpu_memory_is_that_of_the_largest_node() -> None:
    pool = make.pool(devices={SLICE: 4})
    make.node(of=pool, devices={GPU: 1})

    assert resource_types.pool_size(pool).gpu_memory_mib == 97_887
    assert resource_types.pool_size(make.pool(devices={})).gpu_memory_mib == 0


def test_only_enabled_clusters_are_worked_on() -> None:
    enabled, disabled = make.cluster(), make.cluster()
    Cluster.objects.filter(pk=disabled.pk).update(is_enabled=False)

    assert list(selectors.enabled_clusters()) == [enabled]


def test_pools_know_their_cluster_without_asking_again(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make.pool()
    make.pool()

    with django_assert_num_queries(1):
        assert all(pool.cluster.name for pool in selectors.pools())


def test_names() -> None:
    pool = make.pool(slug="lab", devices={GPU: 1})
    device = Device.objects.get()

    assert str(Pool.objects.get()) == "Lab"
    assert str(device) == f"{device.node.name}: {GPU} #0"
    assert str(pool.nodes.get()) == device.node.name


def test_facts_are_ordered_by_what_they_are() -> None:
    assert DeviceFacts(GPU, 0, "p", 1, 1) < DeviceFacts(GPU, 1, "a", 0, 1)


def test_what_the_gpu_operator_is_told_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    pool = make.pool()
    Device.objects.filter(resource_name=SLICE).update(gpu_index=0)
    Device.objects.filter(resource_name=GPU).update(gpu_index=1)
    unknown = make.node(of=pool)

    call_command("show_gpu_layouts", pool.cluster.name)

    shown = yaml.safe_load(capsys.readouterr().out)
    told = selectors.operators_view(pool.cluster)
    assert shown["custom-mig-config"] == told.mig_config
    assert shown["device-plugin-config"] == told.plugin_config
    assert list(shown["left alone"]) == [unknown.name]


def test_a_cluster_that_is_not_there_has_no_layouts() -> None:
    with pytest.raises(CommandError, match="no cluster named nowhere"):
        call_command("show_gpu_layouts", "nowhere")
