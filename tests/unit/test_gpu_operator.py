"""What the GPU Operator is told, and that it would take it."""

import pytest
import yaml

from gpuaas.inventory import gpu_operator, operator_files
from gpuaas.inventory.gpu_operator import LayoutUnknown, NodeDevices
from gpuaas.inventory.labels import DeviceFacts
from gpuaas.inventory.operator_files import ConfigRefused
from tests.make import GPU, SLICE

PRO = "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"


def device(
    resource_name: str = SLICE,
    ordinal: int = 0,
    *,
    gpu: int | None = 0,
    replicas: int = 2,
    product: str = PRO,
) -> DeviceFacts:
    return DeviceFacts(resource_name, ordinal, product, 24_064, replicas, gpu_index=gpu)


REFERENCE = (*(device(SLICE, n) for n in range(4)), device(GPU, gpu=1, replicas=4))


def test_the_reference_installation_is_rendered_as_the_operator_reads_it() -> None:
    told = gpu_operator.render([NodeDevices("gpu-node-1", REFERENCE)])

    name = told.labels["gpu-node-1"][gpu_operator.MIG_CONFIG_LABEL]
    assert yaml.safe_load(told.mig_config["config.yaml"]) == {
        "version": "v1",
        "mig-configs": {
            "all-disabled": [{"devices": "all", "mig-enabled": False}],
            name: [
                {"devices": [0], "mig-enabled": True, "mig-devices": {"1g.24gb": 4}},
                {"devices": [1], "mig-enabled": False},
            ],
        },
    }
    key = told.labels["gpu-node-1"][gpu_operator.PLUGIN_CONFIG_LABEL]
    assert yaml.safe_load(told.plugin_config[key]) == {
        "version": "v1",
        "flags": {"migStrategy": "mixed"},
        "sharing": {
            "timeSlicing": {
                "renameByDefault": False,
                "failRequestsGreaterThanOne": True,
                "resources": [{"name": GPU, "replicas": 4}],
            }
        },
    }


def test_slices_are_multiplied_only_by_an_administrators_word() -> None:
    alone = gpu_operator.replicas_of(REFERENCE)
    shared = gpu_operator.replicas_of(REFERENCE, is_shared=True)

    assert alone == {GPU: 4}
    assert shared == {GPU: 4, SLICE: 2}


def test_alike_nodes_share_a_configuration_and_another_layout_has_another_name() -> None:
    whole = (device(GPU, 0, gpu=0, replicas=4), device(GPU, 1, gpu=1, replicas=4))

    told = gpu_operator.render(
        [NodeDevices("a", REFERENCE), NodeDevices("b", REFERENCE), NodeDevices("c", whole)]
    )

    assert told.labels["a"] == told.labels["b"] != told.labels["c"]
    assert len(operator_files.read_mig_config(told.mig_config["config.yaml"])) == 3
    assert all(len(value) <= 63 for labels in told.labels.values() for value in labels.values())
    key = told.labels["c"][gpu_operator.PLUGIN_CONFIG_LABEL]
    assert operator_files.read_plugin_config(told.plugin_config[key]) == {}


def test_a_gpu_that_cannot_be_partitioned_gets_no_layout() -> None:
    old = (device(GPU, product="Tesla-V100", replicas=4),)

    told = gpu_operator.render([NodeDevices("old", old)])

    assert list(told.labels["old"]) == [gpu_operator.PLUGIN_CONFIG_LABEL]


@pytest.mark.parametrize(
    ("devices", "why"),
    [
        ((device(gpu=None),), "which GPU nvidia.com/mig-1g.24gb #0 lies on is not known"),
        ((device(GPU), device(SLICE)), "GPU 0 is whole and has other devices on it"),
        (
            tuple(device(SLICE, n) for n in range(5)),
            "GPU 0: RTX PRO 6000 Blackwell cannot be cut into 5 of 1g.24gb",
        ),
        ((device("nvidia.com/vgpu"),), "nvidia.com/vgpu is no MIG slice"),
        ((), "it has no devices"),
    ],
)
def test_a_node_that_the_inventory_does_not_know_well_enough_is_left_alone(
    devices: tuple[DeviceFacts, ...], why: str
) -> None:
    told = gpu_operator.render([NodeDevices("odd", devices), NodeDevices("well", REFERENCE)])

    assert list(told.labels) == ["well"]
    assert told.unknown["odd"].startswith(why)


@pytest.mark.parametrize(
    ("resource_name", "profile"),
    [
        ("nvidia.com/mig-1g.24gb", "1g.24gb"),
        ("nvidia.com/mig-1g.24gb.gfx", "1g.24gb+gfx"),
        ("nvidia.com/mig-1g.24gb-me", "1g.24gb-me"),
        ("nvidia.com/mig-2g.48gb.me.all", "2g.48gb+me.all"),
    ],
)
def test_a_resource_name_leads_back_to_its_profile(resource_name: str, profile: str) -> None:
    assert gpu_operator.profile_called(resource_name) == profile


def test_what_is_no_slice_has_no_profile() -> None:
    with pytest.raises(LayoutUnknown):
        gpu_operator.profile_called(GPU)


MIG = {"version": "v1", "mig-configs": {"a": [{"devices": "all", "mig-enabled": False}]}}
CUT = {"devices": [0], "mig-enabled": True, "mig-devices": {"1g.24gb": 4}}


def _layout(**changes: object) -> dict[str, object]:
    entry = {key: value for key, value in {**CUT, **changes}.items() if value != "absent"}
    return {"version": "v1", "mig-configs": {"a": [entry]}}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({**MIG, "version": "v2"}, "version: must be v1, not 'v2'"),
        ({"mig-configs": MIG["mig-configs"]}, "version: must be v1, not None"),
        ({**MIG, "more": 1}, "the file: unknown key 'more'"),
        ({"version": "v1"}, "mig-configs: at least one layout"),
        ({"version": "v1", "mig-configs": {"a": []}}, "mig-configs.a: at least one entry"),
        ({"version": "v1", "mig-configs": {"a": [1]}}, "mig-configs.a[0]: names with values"),
        (_layout(devices="absent"), "mig-configs.a[0].devices: is missing"),
        (_layout(devices="some"), "mig-configs.a[0].devices: 'all' or a list"),
        (_layout(devices=[True]), "mig-configs.a[0].devices: 'all' or a list"),
        (_layout(**{"mig-enabled": "absent"}), "mig-configs.a[0].mig-enabled: is missing"),
        (_layout(**{"mig-enabled": "yes"}), "mig-configs.a[0].mig-enabled: true or false"),
        (_layout(**{"mig-enabled": False}), "mig-configs.a[0].mig-devices: not where MIG is off"),
        (_layout(**{"mig-devices": "absent"}), "mig-configs.a[0].mig-devices: is missing"),
        (_layout(**{"mig-devices": {"big": 1}}), "mig-configs.a[0].mig-devices: 'big' is no"),
        (_layout(**{"mig-devices": {"1g.24gb": 0}}), "mig-configs.a[0].mig-devices.1g.24gb: 1 or"),
        (_layout(extra=1), "mig-configs.a[0]: unknown key 'extra'"),
        ("just text", "the file: names with values"),
    ],
)
def test_what_mig_parted_would_refuse_is_refused(config: object, why: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        operator_files.read_mig_config(yaml.safe_dump(config))

    assert str(refused.value).startswith(why)


def test_what_is_no_yaml_is_refused() -> None:
    with pytest.raises(ConfigRefused, match="no YAML"):
        operator_files.read_mig_config("a: [")


def _sharing(*resources: object) -> dict[str, object]:
    return {"version": "v1", "sharing": {"timeSlicing": {"resources": list(resources)}}}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (_sharing({"name": GPU, "replicas": 1}), "replicas: 2 or more, not 1"),
        (_sharing({"name": GPU, "replicas": True}), "replicas: 2 or more, not True"),
        (_sharing({"name": GPU}), "replicas: 2 or more, not None"),
        (_sharing({"replicas": 2}), "name: a resource name is needed"),
        (_sharing({"name": GPU, "replicas": 2, "rename": "x"}), "rename: the plugin ignores it"),
        (_sharing({"name": GPU, "replicas": 2, "devices": [0]}), "devices: the plugin ignores it"),
        (_sharing(*[{"name": GPU, "replicas": 2}] * 2), "resources[1]: nvidia.com/gpu is there"),
        (_sharing(), "sharing.timeSlicing.resources: at least one"),
        ({"version": "v1", "sharing": {"mps": {"resources": [1]}}}, "sharing.mps: not together"),
        ({"version": "v2"}, "version: must be v1"),
        ({"version": "v1", "shering": {}}, "the file: unknown key"),
    ],
)
def test_what_the_device_plugin_would_refuse_or_ignore_is_refused(config: object, why: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        operator_files.read_plugin_config(yaml.safe_dump(config))

    assert why in str(refused.value)
