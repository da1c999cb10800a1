"""kubectl drives the simulated cluster as it drives a real one."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simcluster.testing import Simulator
from tests.cluster import conftest, objects

Kubectl = Callable[..., str]

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on the PATH")


@pytest.fixture
def kubectl(simulator: Simulator, tmp_path: Path) -> Kubectl:
    """Return what runs kubectl, with manifests on its standard input, and returns what it says."""
    environment = {
        **os.environ,
        "KUBECONFIG": str(simulator.kubeconfig),
        "HOME": str(tmp_path),
        "NO_PROXY": "127.0.0.1",
    }

    def run(*arguments: str, manifests: list[Any] | None = None, fails: bool = False) -> str:
        done = subprocess.run(
            ["kubectl", *arguments],
            input=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests or []}),
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_it_finds_every_kind(kubectl: Kubectl) -> None:
    names = kubectl("api-resources", "-o", "name").split()

    assert {"pods", "deployments.apps", "networkpolicies.networking.k8s.io"} <= set(names)


def test_it_gets_and_describes(kubectl: Kubectl) -> None:
    assert "gpu-node-1" in kubectl("get", "nodes")
    assert "nvidia.com/mig-1g.24gb" in kubectl("describe", "node", "gpu-node-1")


def test_it_applies_twice_and_deletes(kubectl: Kubectl, namespace: str) -> None:
    wanted = [objects.config_map(namespace), objects.deployment(namespace)]

    assert "created" in kubectl("apply", "-f", "-", manifests=wanted)
    assert "configmap/settings unchanged" in kubectl("apply", "-f", "-", manifests=wanted)
    assert "successfully rolled out" in kubectl("rollout", "status", "deploy/web", "-n", namespace)
    assert "deleted" in kubectl("delete", "deploy/web", "cm/settings", "-n", namespace)


def test_it_applies_on_the_server_and_is_told_about_conflicts(
    kubectl: Kubectl, namespace: str
) -> None:
    ours, theirs = objects.config_map(namespace, a="1"), objects.config_map(namespace, a="2")
    apply = ("apply", "--server-side", "-f", "-")
    kubectl(*apply, "--field-manager=us", manifests=[ours])

    refused = kubectl(*apply, "--field-manager=them", manifests=[theirs], fails=True)

    assert 'conflict with "us": .data.a' in refused
    kubectl(*apply, "--field-manager=them", "--force-conflicts", manifests=[theirs])
    assert kubectl("get", "cm", "settings", "-n", namespace, "-o", "jsonpath={.data.a}") == "2"


def test_it_runs_a_pod_waits_for_it_and_ends_it(kubectl: Kubectl, namespace: str) -> None:
    place = ("-n", namespace)
    kubectl("run", "work", "--image=registry.example/a:1", *place)

    assert "condition met" in kubectl("wait", "--for=condition=Ready", "pod/work", *place)
    assert "deleted" in kubectl("delete", "pod", "work", "--grace-period=1", *place)


def test_it_scales_labels_annotates_and_patches(kubectl: Kubectl, namespace: str) -> None:
    place = ("-n", namespace)
    kubectl("apply", "-f", "-", manifests=[objects.deployment(namespace)])

    assert "scaled" in kubectl("scale", "deploy/web", "--replicas=2", *place)
    assert "labeled" in kubectl("label", "deploy/web", "color=red", *place)
    assert "annotated" in kubectl("annotate", "deploy/web", "note=this", *place)
    assert "patched" in kubectl(
        "patch", "deploy/web", "--type=merge", "-p", '{"spec":{"paused":true}}', *place
    )


def test_it_asks_what_one_may(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-f", "-", manifests=[conftest.binding_of("bob", namespace)])
    as_bob = ("--as", "bob", "-n", namespace)

    assert kubectl("auth", "can-i", "create", "pods", *as_bob).strip() == "yes"
    assert "no" in kubectl("auth", "can-i", "patch", "quota", *as_bob, fails=True)
    assert "pods" in kubectl("auth", "can-i", "--list", *as_bob)
    assert "kubernetes-admin" in kubectl("auth", "whoami")


def test_it_creates_the_small_kinds_it_sends_in_binary(kubectl: Kubectl, namespace: str) -> None:
    place = ("-n", namespace)
    kubectl("create", "namespace", f"{namespace}-binary")
    kubectl("create", "configmap", "m", "--from-literal=a=1", *place)
    kubectl("create", "secret", "generic", "s", "--from-literal=a=1", *place)
    kubectl("create", "serviceaccount", "robot", *place)
    kubectl("create", "quota", "q", "--hard=requests.nvidia.com/gpu=1,pods=5", *place)
    kubectl("create", "role", "r", "--verb=get,list", "--resource=pods", *place)
    kubectl("create", "rolebinding", "b", "--role=r", f"--serviceaccount={namespace}:robot", *place)
    token = kubectl("create", "token", "robot", "--duration=10m", *place).strip()

    said = kubectl("auth", "can-i", "list", "pods", "--token", token, *place)

    assert token.count(".") == 2
    assert said.strip() == "yes"
    quota = kubectl("get", "quota", "q", "-o", "jsonpath={.spec.hard}", *place)
    assert json.loads(quota) == {"pods": "5", "requests.nvidia.com/gpu": "1"}


def test_a_kind_it_sends_in_binary_and_we_do_not_read_is_refused_with_a_reason(
    kubectl: Kubectl, namespace: str
) -> None:
    said = kubectl("create", "deployment", "d", "--image=a", "-n", namespace, fails=True)

    assert "Deployment is not among the kinds" in said


def test_it_deletes_a_namespace_and_waits_until_it_is_gone(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "short-lived")

    assert "deleted" in kubectl("delete", "namespace", "short-lived")
    assert "NotFound" in kubectl("get", "namespace", "short-lived", fails=True)
