"""The port's way to what a pod shows: on the simulated cluster, and on a real API server."""

import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kubernetes import client as official

from onebox import controlplane
from reconciler.cluster import (
    Cluster,
    ClusterConflict,
    ClusterRefused,
    ClusterUnavailable,
    Ref,
    client,
)
from simcluster import testing
from tests.cluster import conftest, objects, pods
from tests.cluster.waiting import eventually

ADDRESS = "10.200.0.7"


@dataclass(slots=True)
class Place:
    """A cluster with one pod in a namespace, which shows what it is told to at port 8000."""

    cluster: Cluster
    namespace: str
    show: Callable[[str], None]
    answering: pods.Pods | None = None

    def read(self, pod: str = "work", *, path: str = "/metrics", at_most_bytes: int = 1000) -> str:
        return self.cluster.read_pod(
            self.namespace, pod, port=8000, path=path, at_most_bytes=at_most_bytes
        )


@pytest.fixture(
    params=[
        "simcluster",
        pytest.param("controlplane", marks=[pytest.mark.cluster, pytest.mark.timeout(900)]),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    namespace = f"t-{secrets.token_hex(4)}"
    if request.param == "simcluster":
        simulator = testing.start(tmp_path)
        cluster = _with_pod(simulator.kubeconfig, namespace)
        yield Place(
            cluster,
            namespace,
            lambda text: simulator.show(f"{namespace}/work:8000/metrics", text),
        )
        cluster.close()
        simulator.stop()
        return
    conftest.skip_without_control_plane()
    with pods.answering() as (answering, egress):
        flags = {"kube-apiserver": [f"--egress-selector-config-file={egress}"]}
        with controlplane.start(tmp_path / "plane", extra_flags=flags) as plane:
            cluster = _with_pod(plane.kubeconfig, namespace)
            core = official.CoreV1Api(conftest.connect_as(plane.kubeconfig))
            core.patch_namespaced_pod_status(
                "work", namespace, {"status": {"podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}}
            )
            yield Place(cluster, namespace, answering.show, answering)
            cluster.close()


def _with_pod(kubeconfig: Path, namespace: str) -> Cluster:
    cluster = client.connect(kubeconfig)
    cluster.apply(objects.manifest("v1", "Namespace", "", namespace))
    account = Ref("v1", "ServiceAccount", "default", namespace)
    eventually(lambda: cluster.get(account) is not None)
    cluster.apply(objects.pod(namespace))
    return cluster


def test_what_a_pod_shows_is_read(place: Place) -> None:
    place.show("vllm:generation_tokens_total 5\nµ 1\n")

    assert place.read() == "vllm:generation_tokens_total 5\nµ 1\n"
    assert place.cluster.calls["read"] == 1
    assert place.cluster.answers["read", 200] == 1
    if place.answering is not None:
        assert place.answering.asked == [f"{ADDRESS}:8000 /metrics"]


@pytest.mark.parametrize(
    "path",
    ["/../log", "/metrics/..", "/./x", "/a?b=1", "/a#b", "/%2e%2e/log", "//x", "x", "", "/a b"],
)
def test_a_path_that_could_lead_out_of_the_pod_is_not_asked_for(place: Place, path: str) -> None:
    with pytest.raises(ClusterRefused, match="not a plain path"):
        place.read(path=path)
    assert place.cluster.calls["read"] == 0


def test_more_than_was_asked_for_is_refused(place: Place) -> None:
    place.show("x" * 1001)

    with pytest.raises(ClusterRefused, match="longer than 1000 bytes"):
        place.read()


def test_a_pod_that_does_not_exist_is_to_be_looked_for_again(place: Place) -> None:
    with pytest.raises(ClusterConflict, match="not found"):
        place.read("nothing")


def test_a_pod_in_trouble_is_to_be_asked_later(place: Place) -> None:
    if place.answering is not None:
        place.answering.show("so sorry", status="500 Internal Server Error")

    with pytest.raises(ClusterUnavailable):
        place.read()


@pytest.mark.cluster
@pytest.mark.parametrize("place", ["controlplane"], indirect=True)
def test_a_real_pods_tricks(place: Place) -> None:
    """Moved elsewhere, not text, packed: none of it is followed, guessed or unpacked."""
    assert place.answering is not None
    place.answering.show("", status="302 Found", headers="Location: http://169.254.169.254/\r\n")
    with pytest.raises(ClusterUnavailable):
        place.read()
    place.answering.show(b"\xff\xfe\x00")
    with pytest.raises(ClusterRefused, match="not text"):
        place.read()
    place.answering.show(b"\x1f\x8b\x08\xff", headers="Content-Encoding: gzip\r\n")
    with pytest.raises(ClusterRefused, match="not text"):
        place.read()
    assert all(asked.startswith(ADDRESS) for asked in place.answering.asked)


def test_one_that_drips_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "POD_TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
                for _ in range(20):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return
                    threading.Event().wait(0.1)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        kubeconfig = tmp_path / "drip.kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "users": [{"name": "x", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        }
        kubeconfig.write_text(json.dumps(config))
        dripping = client.connect(kubeconfig)
        with pytest.raises(ClusterUnavailable, match="took longer"):
            dripping.read_pod("n", "p", port=1, path="/metrics", at_most_bytes=1000)
        dripping.close()
        thread.join()
