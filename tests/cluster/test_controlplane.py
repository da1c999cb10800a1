"""The control plane we test against is a real one, and leaves nothing behind."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from onebox import controlplane, controlplane_build, kubeapi
from onebox.controlplane_supervisor import NotReady
from onebox.kubeapi import ApiError, Json
from tests.cluster.conftest import skip_without_control_plane

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # it may have to be built first

NODE = "gpu-node-1"
PATIENCE_SECONDS = 60


class Cluster:
    """The few requests these tests make."""

    def __init__(self, kubeconfig: Path) -> None:
        self._access = kubeapi.read_kubeconfig(kubeconfig)

    def get(self, path: str) -> Json:
        return kubeapi.request(self._access, "GET", path)

    def create(self, path: str, kind: str, name: str, /, **fields: Any) -> Json:
        body = {"kind": kind, "metadata": {"name": name}, **fields}
        return kubeapi.request(self._access, "POST", path, body)

    def delete(self, path: str) -> Json:
        return kubeapi.request(self._access, "DELETE", path)

    def exists(self, path: str) -> bool:
        try:
            self.get(path)
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    def pod_phase(self, path: str) -> str:
        return str(self.get(path)["status"]["phase"])


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def container(**fields: Any) -> Json:
    return {"name": "main", "image": "registry.example/workspace:1", **fields}


def processes_naming(directory: Path) -> list[str]:
    """The command lines of living processes that name the directory."""
    found = []
    for pid in (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it ended while we looked
            continue
        if str(directory) in command:
            found.append(command)
    return found


@pytest.fixture(scope="module", autouse=True)
def _available() -> None:
    skip_without_control_plane()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[controlplane.ControlPlane]:
    with controlplane.start(tmp_path_factory.mktemp("controlplane")) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(plane: controlplane.ControlPlane) -> Cluster:
    return Cluster(plane.kubeconfig)


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """The path of a new namespace, in which the controllers have made the default account."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name)[:60].strip("-")
    cluster.create("/api/v1/namespaces", "Namespace", name)
    path = f"/api/v1/namespaces/{name}"
    eventually(lambda: cluster.exists(f"{path}/serviceaccounts/default"))
    return path


def run_pod(cluster: Cluster, namespace: str, **spec: Any) -> str:
    spec.setdefault("containers", [container()])
    cluster.create(f"{namespace}/pods", "Pod", "pod", spec=spec)
    return f"{namespace}/pods/pod"


def test_it_is_a_supported_kubernetes(cluster: Cluster) -> None:
    version = cluster.get("/version")

    assert (int(version["major"]), int(version["minor"])) >= controlplane.OLDEST_SUPPORTED


def test_it_has_device_claims_and_admission_policies(cluster: Cluster) -> None:
    assert cluster.exists("/apis/resource.k8s.io/v1/deviceclasses")
    assert cluster.exists("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")


def test_a_pod_runs_on_the_reference_node(cluster: Cluster, namespace: str) -> None:
    pod = run_pod(cluster, namespace)

    eventually(lambda: cluster.pod_phase(pod) == "Running")

    found = cluster.get(pod)
    ready = {c["type"]: c["status"] for c in found["status"]["conditions"]}["Ready"]
    assert (found["spec"]["nodeName"], ready) == (NODE, "True")
    assert found["status"]["podIP"]
    assert found["status"]["containerStatuses"][0]["image"] == "registry.example/workspace:1"


def test_a_pod_gets_a_slice(cluster: Cluster, namespace: str) -> None:
    limits = {"nvidia.com/mig-1g.24gb": "1"}
    pod = run_pod(cluster, namespace, containers=[container(resources={"limits": limits})])

    eventually(lambda: cluster.pod_phase(pod) == "Running")


def test_a_pod_that_asks_for_more_than_there_is_stays_pending(
    cluster: Cluster, namespace: str
) -> None:
    limits = {"nvidia.com/mig-1g.24gb": "9"}
    pod = run_pod(cluster, namespace, containers=[container(resources={"limits": limits})])

    eventually(lambda: bool(cluster.get(pod)["status"].get("conditions")))

    assert cluster.get(pod)["status"]["conditions"][0]["reason"] == "Unschedulable"


def test_an_image_that_does_not_exist_keeps_its_pod_waiting(
    cluster: Cluster, namespace: str
) -> None:
    missing = container(image="registry.example/does-not-exist:1")
    pod = run_pod(cluster, namespace, containers=[missing])

    eventually(lambda: "containerStatuses" in cluster.get(pod)["status"])

    status = cluster.get(pod)["status"]
    assert status["phase"] == "Pending"
    state = status["containerStatuses"][0]["state"]
    assert state["waiting"]["reason"] == "ImagePullBackOff"


def test_a_job_completes(cluster: Cluster, namespace: str) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [container()]}}
    jobs = namespace.replace("/api/v1", "/apis/batch/v1") + "/jobs"
    cluster.create(jobs, "Job", "job", spec={"template": template})

    eventually(lambda: cluster.get(f"{jobs}/job")["status"].get("succeeded") == 1)


def test_a_claim_binds_when_a_pod_uses_it_and_its_volume_goes_with_it(
    cluster: Cluster, namespace: str
) -> None:
    claims = f"{namespace}/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    cluster.create(claims, "PersistentVolumeClaim", "home", spec=spec)
    volume = {"name": "home", "persistentVolumeClaim": {"claimName": "home"}}

    pod = run_pod(cluster, namespace, volumes=[volume])
    eventually(lambda: cluster.pod_phase(pod) == "Running")

    claim = cluster.get(f"{claims}/home")
    assert claim["status"]["phase"] == "Bound"
    assert claim["status"]["capacity"] == {"storage": "10Gi"}

    cluster.delete(pod)
    cluster.delete(f"{claims}/home")
    made = f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}"
    eventually(lambda: not cluster.exists(made))


def test_a_claim_nobody_uses_stays_pending(cluster: Cluster, namespace: str) -> None:
    claims = f"{namespace}/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    cluster.create(claims, "PersistentVolumeClaim", "unused", spec=spec)

    # The annotation says that the volume controller has looked at it and decided to wait.
    events = f"{namespace}/events"
    eventually(
        lambda: any(e["reason"] == "WaitForFirstConsumer" for e in cluster.get(events)["items"])
    )

    assert cluster.get(f"{claims}/unused")["status"]["phase"] == "Pending"


def test_a_namespace_goes_with_all_that_is_in_it(cluster: Cluster, namespace: str) -> None:
    pod = run_pod(cluster, namespace)
    eventually(lambda: cluster.pod_phase(pod) == "Running")

    cluster.delete(namespace)

    eventually(lambda: not cluster.exists(namespace))


def test_a_node_that_lost_power_comes_back_without_the_pods_that_had_a_device(
    plane: controlplane.ControlPlane, cluster: Cluster, namespace: str
) -> None:
    limits = {"nvidia.com/gpu": "1"}
    pod = run_pod(cluster, namespace, containers=[container(resources={"limits": limits})])
    eventually(lambda: cluster.pod_phase(pod) == "Running")

    plane.lose_power(NODE)
    time.sleep(0.5)
    cluster.create(f"{namespace}/pods", "Pod", "later", spec={"containers": [container()]})
    later = f"{namespace}/pods/later"
    time.sleep(1.5)
    assert cluster.pod_phase(later) == "Pending"
    plane.restore_power(NODE)

    eventually(lambda: cluster.pod_phase(pod) == "Failed")
    assert cluster.get(pod)["status"]["reason"] == "UnexpectedAdmissionError"
    eventually(lambda: cluster.pod_phase(later) == "Running")


def test_a_restart_finds_what_was_there(tmp_path: Path) -> None:
    kept = "/api/v1/namespaces/default/configmaps/kept"
    with controlplane.start(tmp_path) as first:
        before = Cluster(first.kubeconfig)
        before.create("/api/v1/namespaces/default/configmaps", "ConfigMap", "kept")
        pod = run_pod(before, "/api/v1/namespaces/default")
        eventually(lambda: before.pod_phase(pod) == "Running")
        uid = before.get(pod)["metadata"]["uid"]

    with controlplane.start(tmp_path) as second:
        after = Cluster(second.kubeconfig)

        assert after.exists(kept)
        assert after.get(pod)["metadata"]["uid"] == uid
        after.delete(pod)
        eventually(lambda: not after.exists(pod))


def test_stopping_leaves_no_process_behind(tmp_path: Path) -> None:
    plane = controlplane.start(tmp_path)
    assert len(processes_naming(tmp_path)) >= 5

    started_at = time.monotonic()
    plane.stop()

    assert time.monotonic() - started_at < 10
    assert processes_naming(tmp_path) == []


def test_killing_the_supervisor_leaves_no_process_behind(tmp_path: Path) -> None:
    plane = controlplane.start(tmp_path)

    plane.process.kill()
    plane.process.wait()

    eventually(lambda: processes_naming(tmp_path) == [])


def test_two_cannot_run_in_one_directory(plane: controlplane.ControlPlane) -> None:
    with pytest.raises(NotReady, match="another control plane runs on"):
        controlplane.start(plane.directory)


def test_a_component_that_does_not_start_is_named(tmp_path: Path) -> None:
    flags = {"kube-apiserver": ["--no-such-flag"]}

    with pytest.raises(NotReady, match=r"kube-apiserver ended with status 1.*such-flag"):
        controlplane.start(tmp_path, extra_flags=flags)

    assert processes_naming(tmp_path) == []


def test_flags_reach_their_component(tmp_path: Path) -> None:
    flags = {"kube-apiserver": ["--feature-gates=AllBeta=true", "--runtime-config=api/beta=true"]}

    with controlplane.start(tmp_path, extra_flags=flags) as plane:
        assert Cluster(plane.kubeconfig).exists("/apis/resource.k8s.io/v1beta1")


def test_without_go_and_binaries_the_reason_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setattr(controlplane_build, "find_go", lambda: None)

    reason = controlplane.unavailable_reason()

    assert reason is not None
    assert "no Go toolchain" in reason
    assert "lacks etcd, kube-apiserver, kube-controller-manager, kube-scheduler" in reason
    assert os.linesep not in reason


def test_ready_binaries_are_taken_from_kubebuilder_assets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = controlplane.build()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(controlplane_build, "find_go", lambda: None)

    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(built))

    assert controlplane.find_binaries() == built
    assert controlplane.unavailable_reason() is None
