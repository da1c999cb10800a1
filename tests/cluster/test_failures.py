"""How the adapter words every way a cluster fails.  On the simulated one: it fails on request."""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from reconciler.cluster import (
    Cluster,
    ClusterConflict,
    ClusterError,
    ClusterRefused,
    ClusterUnavailable,
    Ref,
    client,
    ref_to,
)
from simcluster import testing
from simcluster.testing import Simulator
from tests.cluster import objects

SETTINGS = Ref("v1", "ConfigMap", "settings", "default")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = testing.start(tmp_path_factory.mktemp("simcluster"))
    yield simulator
    simulator.stop()


@pytest.fixture(autouse=True)
def _faultless(simulator: Simulator) -> Iterator[None]:
    yield
    simulator.clear_faults()


@pytest.fixture
def cluster(simulator: Simulator) -> Iterator[Cluster]:
    connected = client.connect(simulator.kubeconfig)
    yield connected
    connected.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (400, ClusterRefused),
        (401, ClusterUnavailable),
        (403, ClusterRefused),
        (404, ClusterRefused),  # of the whole kind: that of one object carries its name
        (405, ClusterRefused),
        (408, ClusterUnavailable),
        (409, ClusterConflict),
        (410, ClusterUnavailable),
        (413, ClusterRefused),
        (415, ClusterRefused),
        (422, ClusterRefused),
        (429, ClusterUnavailable),
        (500, ClusterUnavailable),
        (502, ClusterUnavailable),
        (503, ClusterUnavailable),
        (504, ClusterUnavailable),
    ],
)
def test_every_status_says_what_to_do_next(
    simulator: Simulator, cluster: Cluster, code: int, expected: type[ClusterError]
) -> None:
    simulator.fault(code=code)

    with pytest.raises(ClusterError) as failed:
        cluster.get(SETTINGS)

    assert isinstance(failed.value, expected)
    assert failed.value.status_code == code


@pytest.mark.parametrize(
    "message",
    [
        'pods "a" is forbidden: status unknown for quota: budget, resources: pods',
        'pods "a" is forbidden: error looking up service account a/default: not found',
        "unable to create new content in namespace a because it is being terminated",
    ],
)
def test_a_refusal_that_passes_by_itself_is_no_refusal(
    simulator: Simulator, cluster: Cluster, message: str
) -> None:
    simulator.fault(code=403, message=message)

    with pytest.raises(ClusterUnavailable, match="a"):
        cluster.apply(objects.config_map("default"))


@pytest.mark.parametrize(("sent", "read"), [(7, timedelta(seconds=7)), (None, None)])
def test_the_wait_a_cluster_asks_for_is_passed_on(
    simulator: Simulator, cluster: Cluster, sent: int | None, read: timedelta | None
) -> None:
    simulator.fault(code=429, retry_after=sent)

    with pytest.raises(ClusterUnavailable) as failed:
        cluster.get(SETTINGS)

    assert failed.value.retry_after == read


@pytest.mark.parametrize("kind", ["crash-before", "crash-after", "drop", "garbage"])
def test_no_proper_answer_means_ask_again(
    simulator: Simulator, cluster: Cluster, kind: str
) -> None:
    simulator.fault(kind=kind)

    with pytest.raises(ClusterUnavailable) as failed:
        cluster.get(Ref("v1", "Namespace", "default"))

    assert failed.value.status_code == 0
    assert failed.value.__cause__ is not None


@pytest.mark.parametrize(
    ("kind", "was_done"), [("crash-before", False), ("crash-after", True), ("drop", True)]
)
def test_a_write_that_was_cut_off_may_have_been_done_and_can_be_repeated(
    simulator: Simulator, cluster: Cluster, *, kind: str, was_done: bool
) -> None:
    wanted = objects.config_map("default", f"cut-{kind}")
    simulator.fault(kind=kind, method="PATCH")
    with pytest.raises(ClusterUnavailable):
        cluster.apply(wanted)

    assert (cluster.get(ref_to(wanted)) is not None) == was_done
    assert cluster.apply(wanted)["data"] == wanted["data"]


def test_nothing_is_retried(simulator: Simulator, cluster: Cluster) -> None:
    simulator.fault(kind="crash-before", times=1)

    with pytest.raises(ClusterUnavailable):
        cluster.get(SETTINGS)

    assert cluster.get(SETTINGS) is None, "the one fault has been used up by the one request"


def test_a_slow_answer_is_waited_for_only_so_long(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "READ_TIMEOUT_SECONDS", 0.2)
    impatient = client.connect(simulator.kubeconfig)
    simulator.fault(kind="slow", seconds=1.0)
    began = time.monotonic()

    with pytest.raises(ClusterUnavailable):
        impatient.get(SETTINGS)

    assert time.monotonic() - began < 0.9
    impatient.close()


def test_a_listing_that_expires_starts_again(
    simulator: Simulator, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    complete = cluster.find("v1", "Namespace")
    simulator.fault(code=410, path="continue=")

    assert cluster.find("v1", "Namespace") == complete


def test_a_listing_that_always_expires_is_put_off(
    simulator: Simulator, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    simulator.fault(code=410, path="continue=", times=0)

    with pytest.raises(ClusterUnavailable, match="expired 3 times"):
        cluster.find("v1", "Namespace")


def test_a_listing_that_fails_on_the_way_is_an_error_not_a_short_list(
    simulator: Simulator, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    simulator.fault(code=503, path="continue=")

    with pytest.raises(ClusterUnavailable):
        cluster.find("v1", "Namespace")


def test_a_message_is_cut_to_a_line_that_can_be_stored(
    simulator: Simulator, cluster: Cluster
) -> None:
    simulator.fault(code=500, message="x" * 5000)

    with pytest.raises(ClusterUnavailable) as failed:
        cluster.get(SETTINGS)

    assert str(failed.value) == "x" * 256


def test_nobody_listening_is_unavailable(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(_kubeconfig_for("http://127.0.0.1:1"))

    with pytest.raises(ClusterUnavailable):
        client.connect(kubeconfig).server_version()


def test_a_server_with_another_certificate_is_not_trusted(
    simulator: Simulator, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(_kubeconfig_for(simulator.url))
    stranger = client.connect(kubeconfig)

    with pytest.raises(ClusterUnavailable, match="certificate"):
        stranger.server_version()

    stranger.close()


@pytest.mark.parametrize("text", [None, "", "{", "apiVersion: v1\nkind: Config\n"])
def test_credentials_that_cannot_be_read_are_somebody_elses_to_repair(
    tmp_path: Path, text: str | None
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    if text is not None:
        kubeconfig.write_text(text)

    with pytest.raises(ClusterUnavailable, match="no usable credentials"):
        client.connect(kubeconfig)


def test_outside_a_cluster_there_are_no_credentials_of_the_pod() -> None:
    with pytest.raises(ClusterUnavailable, match="no usable credentials"):
        client.connect(None)


def test_connecting_leaves_no_files_behind(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    connected = client.connect(simulator.kubeconfig)

    assert os.listdir(tmp_path) == []
    assert connected.server_version()
    connected.close()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy"])
def test_no_proxy_stands_between_us_and_this_machine(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")

    connected = client.connect(simulator.kubeconfig)

    assert connected.server_version()
    connected.close()


def test_a_cluster_elsewhere_is_reached_through_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(_kubeconfig_for("https://api.example.test:6443"))

    with pytest.raises(ClusterUnavailable) as failed:
        client.connect(kubeconfig).server_version()

    assert isinstance(failed.value.__cause__, urllib3.exceptions.ProxyError)


def test_threads_share_one_cluster(cluster: Cluster) -> None:
    together = threading.Barrier(8)

    def ask(number: int) -> Any:
        together.wait()
        return cluster.apply(objects.config_map("default", f"thread-{number}"))["metadata"]["name"]

    with ThreadPoolExecutor(max_workers=8) as executor:
        names = list(executor.map(ask, range(8)))

    assert names == [f"thread-{number}" for number in range(8)]
    assert cluster.calls["apply"] == 8


def _kubeconfig_for(server: str) -> str:
    return (
        "apiVersion: v1\nkind: Config\ncurrent-context: it\n"
        f"clusters: [{{name: it, cluster: {{server: '{server}'}}}}]\n"
        "users: [{name: it, user: {token: secret}}]\n"
        "contexts: [{name: it, context: {cluster: it, user: it}}]\n"
    )
