"""`reconciler.manifests`: what is sent to the API, to the byte where it guards something."""

import dataclasses
from typing import Any

import pytest

from gpuaas.core.modes import AllocationMode
from reconciler import naming
from reconciler.manifests import access, guardrails, namespace, network, quantities, storage
from reconciler.manifests import workspace as workspaces
from sessions.spec import Proxy
from tests import make

SPEC = make.spec()
LABELS = {
    "app.kubernetes.io/managed-by": "gpuaas",
    "gpuaas.io/installation": "gpuaas",
    "gpuaas.io/session": "00000001-0000-4000-8000-000000000001",
    "gpuaas.io/reservation": "00000001-0000-4000-8000-000000000002",
    "gpuaas.io/team": "vision",
}


def test_the_namespace_carries_the_booking_and_its_pod_security() -> None:
    assert namespace.build(SPEC) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "s-0000000100004000",
            "labels": {
                **LABELS,
                "pod-security.kubernetes.io/enforce": "baseline",
                "pod-security.kubernetes.io/audit": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
                "security.openshift.io/scc.podSecurityLabelSync": "false",
            },
            "annotations": {
                "gpuaas.io/gpu-resource": "nvidia.com/mig-1g.24gb",
                "gpuaas.io/starts-at": "2026-03-01T12:00:00+00:00",
                "gpuaas.io/ends-at": "2026-03-01T16:00:00+00:00",
                "gpuaas.io/owner": "ada",
                "openshift.io/node-selector": "kubernetes.io/hostname=gpu-node-1",
            },
        },
    }


def test_the_quota_names_every_gpu_type_of_the_fleet_and_allows_the_booked_one_only() -> None:
    assert guardrails.resource_quota(SPEC) == {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "gpuaas", "namespace": "s-0000000100004000", "labels": LABELS},
        "spec": {
            "hard": {
                "requests.nvidia.com/gpu": "0",
                "requests.nvidia.com/gpu.shared": "0",
                "requests.nvidia.com/mig-1g.24gb": "2",
                "requests.nvidia.com/mig-1g.24gb.shared": "0",
                "requests.cpu": "16",
                "limits.cpu": "16",
                "requests.memory": "64Gi",
                "limits.memory": "64Gi",
                "requests.storage": "600Gi",
                "pods": "100",
                "persistentvolumeclaims": "20",
                "services": "50",
                "services.loadbalancers": "0",
                "services.nodeports": "0",
                "count/deployments.apps": "50",
                "count/jobs.batch": "100",
                "secrets": "100",
                "configmaps": "100",
                "count/resourceclaims.resource.k8s.io": "0",
                "count/resourceclaimtemplates.resource.k8s.io": "0",
                "gpu.nvidia.com.deviceclass.resource.k8s.io/devices": "0",
                "mig.nvidia.com.deviceclass.resource.k8s.io/devices": "0",
                "vfio.gpu.nvidia.com.deviceclass.resource.k8s.io/devices": "0",
            }
        },
    }


def test_a_quota_is_counted_once_its_status_has_every_key_the_cluster_knows() -> None:
    wanted = guardrails.resource_quota(SPEC)
    hard = wanted["spec"]["hard"]
    known = dict.fromkeys(hard.keys() - guardrails.CLAIMED_DEVICES.keys(), "0")

    assert guardrails.is_counting({"status": {"hard": hard, "used": known}}, wanted)
    known.pop("pods")
    assert not guardrails.is_counting({"status": {"hard": hard, "used": known}}, wanted)
    assert not guardrails.is_counting({}, wanted)


def test_a_container_that_asks_for_nothing_gets_no_device() -> None:
    [item] = guardrails.limit_range(SPEC)["spec"]["limits"]

    assert item == {
        "type": "Container",
        "default": {"cpu": "500m", "memory": "1Gi", "nvidia.com/mig-1g.24gb": "0"},
        "defaultRequest": {"cpu": "100m", "memory": "256Mi", "nvidia.com/mig-1g.24gb": "0"},
    }


def test_a_container_gets_one_slot_of_a_time_sliced_device_at_most() -> None:
    sliced = dataclasses.replace(SPEC, slots_per_device=2)
    [item] = guardrails.limit_range(sliced)["spec"]["limits"]

    assert item["max"] == {"nvidia.com/mig-1g.24gb": "1"}
    assert item["default"]["nvidia.com/mig-1g.24gb"] == "0"


def test_everything_is_denied_first() -> None:
    first, *others = network.build(SPEC)

    assert first["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert [policy["metadata"]["name"] for policy in others] == [
        "gpuaas-allow-inside",
        "gpuaas-allow-to-agents",
        "gpuaas-allow-dns",
        "gpuaas-allow-router",
        "gpuaas-allow-api-server",
    ]


@pytest.mark.parametrize(
    ("proxy", "ports"),
    [
        (Proxy("http://proxy:3128", "http://proxy:3128"), [3128]),
        (Proxy("http://proxy:3128", "https://proxy"), [443, 3128]),
        (Proxy("http://proxy"), [80]),
    ],
)
def test_the_way_to_the_proxy_is_open(proxy: Proxy, ports: list[int]) -> None:
    last = network.build(dataclasses.replace(SPEC, proxy=proxy))[-1]

    assert last["metadata"]["name"] == "gpuaas-allow-proxy"
    assert [each["port"] for each in last["spec"]["egress"][0]["ports"]] == ports


@pytest.mark.parametrize(
    ("storage_gib", "home", "model_cache"),
    [(600, "20Gi", "300Gi"), (100, "10Gi", "50Gi"), (2, "1Gi", "1Gi")],
)
def test_home_and_model_cache_never_exceed_the_allowance(
    storage_gib: int, home: str, model_cache: str
) -> None:
    claims = storage.build(make.spec(storage_gib=storage_gib))

    sizes = [claim["spec"]["resources"]["requests"]["storage"] for claim in claims]
    assert sizes == [home, model_cache]
    assert {claim["spec"]["storageClassName"] for claim in claims} == {"lvms-vg1"}


def container_of(mode: AllocationMode) -> dict[str, Any]:
    pod = workspaces.deployment(make.spec(mode=mode))["spec"]["template"]["spec"]
    [container] = pod["containers"]
    return dict(container)


def test_an_interactive_workspace_holds_one_slot() -> None:
    container = container_of(AllocationMode.INTERACTIVE)

    assert container["resources"] == {
        "requests": {"cpu": "8", "memory": "32Gi", "nvidia.com/mig-1g.24gb": "1"},
        "limits": {"cpu": "8", "memory": "32Gi", "nvidia.com/mig-1g.24gb": "1"},
    }
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} not in container["env"]


def test_an_inference_workspace_holds_none_and_says_so_to_cuda() -> None:
    container = container_of(AllocationMode.INFERENCE)

    assert container["resources"] == {
        "requests": {"cpu": "8", "memory": "32Gi"},
        "limits": {"cpu": "8", "memory": "32Gi"},
    }
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} in container["env"]


def test_the_pod_template_carries_none_of_the_managing_labels() -> None:
    template = workspaces.deployment(SPEC)["spec"]["template"]

    assert template["metadata"]["labels"] == {naming.COMPONENT_LABEL: naming.WORKSPACE}


def test_the_proxy_is_told_in_both_spellings() -> None:
    spec = dataclasses.replace(SPEC, proxy=Proxy("http://proxy:3128", "", ".corp"))

    assert workspaces.proxy_config(spec)["data"] == {
        "HTTP_PROXY": "http://proxy:3128",
        "http_proxy": "http://proxy:3128",
        "NO_PROXY": ".corp,localhost,127.0.0.1,::1,.svc,.cluster.local",
        "no_proxy": ".corp,localhost,127.0.0.1,::1,.svc,.cluster.local",
    }


def test_without_a_proxy_the_config_map_is_empty() -> None:
    assert "data" not in workspaces.proxy_config(SPEC)


def test_the_owner_and_the_workspace_are_admins_of_the_namespace_and_nothing_more() -> None:
    bindings = access.build(SPEC)

    assert [(b["kind"], b["roleRef"]["kind"], b["roleRef"]["name"]) for b in bindings] == [
        ("RoleBinding", "ClusterRole", "admin"),
        ("RoleBinding", "ClusterRole", "admin"),
    ]
    assert [b["subjects"] for b in bindings] == [
        [{"kind": "ServiceAccount", "name": "workspace", "namespace": "s-0000000100004000"}],
        [{"kind": "User", "name": "ada", "apiGroup": "rbac.authorization.k8s.io"}],
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (quantities.cpu(2000), "2"),
        (quantities.cpu(1500), "1500m"),
        (quantities.memory(1), "1Mi"),
        (quantities.memory(1536), "1536Mi"),
        (quantities.memory(93 * 1024), "93Gi"),
        (quantities.memory(1024 * 1024), "1Ti"),
        (quantities.storage(600), "600Gi"),
    ],
)
def test_quantities_are_in_the_servers_canonical_form(written: str, expected: str) -> None:
    assert written == expected
