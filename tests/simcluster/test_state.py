"""State in a file: nothing that was acknowledged is lost, and nothing foreign is overwritten."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reconciler.cluster import Ref, client
from simcluster import journal, testing
from simcluster.controllers import Timing
from simcluster.journal import Journal, NotAJournal
from simcluster.objects import kinds
from simcluster.store import Store
from tests.cluster import objects
from tests.cluster.waiting import eventually

SETTINGS = Ref("v1", "ConfigMap", "settings", "default")


def config_map(name: str, text: str = "") -> dict[str, object]:
    metadata = {"name": name, "namespace": "default", "uid": f"uid-of-{name}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": text}}


def serve(directory: Path) -> subprocess.Popen[str]:
    """Start ``python -m simcluster`` and return once it has written its kubeconfig."""
    kubeconfig = directory / "kubeconfig"
    kubeconfig.unlink(missing_ok=True)
    command = [sys.executable, "-m", "simcluster", "--port", "0"]
    started = subprocess.Popen(
        [*command, "--state", str(directory / "state"), "--kubeconfig", str(kubeconfig)],
        stdout=subprocess.PIPE,
        text=True,
    )
    eventually(kubeconfig.exists)
    return started


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    with serve(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("simcluster: serving https://127.0.0.1:")
        assert (tmp_path / "kubeconfig").stat().st_mode & 0o077 == 0
        cluster = client.connect(tmp_path / "kubeconfig")
        assert cluster.get(Ref("v1", "Node", "gpu-node-1")) is not None
        cluster.close()

        began = time.monotonic()
        process.send_signal(signal.SIGTERM)

        assert process.wait(10) == 0
        assert time.monotonic() - began < 2


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    with serve(tmp_path) as process:
        cluster = client.connect(tmp_path / "kubeconfig")
        before = [
            cluster.apply(objects.config_map("default", f"m-{number}")) for number in range(20)
        ]
        os.kill(process.pid, signal.SIGKILL)
        cluster.close()

    with serve(tmp_path) as process:
        again = client.connect(tmp_path / "kubeconfig")
        found = again.find("v1", "ConfigMap", namespace="default")
        applied = again.apply(objects.config_map("default", "m-0", b="2"))
        process.terminate()
        again.close()

    assert [made for made in before if made not in found] == []
    assert applied["data"] == {"b": "2"}, "who owns which field has survived too"


def test_versions_go_on_and_old_watches_expire_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = testing.start(tmp_path, state=state)
    cluster = client.connect(first.kubeconfig)
    before = int(cluster.apply(objects.config_map("default"))["metadata"]["resourceVersion"])
    cluster.close()
    first.stop()

    second = testing.start(tmp_path, state=state)
    again = client.connect(second.kubeconfig)
    after = again.apply(objects.config_map("default", "later"))["metadata"]["resourceVersion"]
    again.close()
    second.stop()

    assert int(after) > before


def test_tokens_of_the_administrator_survive_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = testing.start(tmp_path, state=state)
    token = first.server.cluster.secrets["admin"]
    first.stop()

    second = testing.start(tmp_path, state=state)
    same = second.server.cluster.secrets["admin"] == token
    second.stop()

    assert same


def test_a_pod_that_was_starting_goes_on_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    slow = Timing(pod_start=60.0)
    first = testing.start(tmp_path, state=state, timing=slow)
    cluster = client.connect(first.kubeconfig)
    eventually(lambda: cluster.get(Ref("v1", "ServiceAccount", "default", "default")))
    cluster.apply(objects.pod("default"))
    cluster.close()
    first.stop()

    second = testing.start(tmp_path, state=state)
    again = client.connect(second.kubeconfig)

    def phase() -> str:
        found = again.get(Ref("v1", "Pod", "work", "default"))
        return str((found or {})["status"]["phase"])

    eventually(lambda: phase() == "Running")
    again.close()
    second.stop()


def test_a_journal_remembers_the_last_of_each_object(tmp_path: Path) -> None:
    store = Store()
    book = Journal(tmp_path / "state", {"admin": "secret"}, store)
    store.listeners.append(book.record)
    store.put(kinds.CONFIG_MAP, config_map("kept", "1"))
    store.put(kinds.CONFIG_MAP, config_map("kept", "2"))
    store.remove(kinds.CONFIG_MAP, store.put(kinds.CONFIG_MAP, config_map("removed")))
    book.close()

    state = journal.load(tmp_path / "state")

    assert state.secrets == {"admin": "secret"}
    assert state.version == store.version
    assert list(state.objects.values()) == store.every(kinds.CONFIG_MAP)


def test_a_torn_last_line_is_ignored(tmp_path: Path) -> None:
    store = Store()
    book = Journal(tmp_path / "state", {}, store)
    store.listeners.append(book.record)
    store.put(kinds.CONFIG_MAP, config_map("whole"))
    book.close()
    with (tmp_path / "state").open("a") as file:
        file.write('{"version": 999, "plural": "config')

    state = journal.load(tmp_path / "state")

    assert [name for _, _, name in state.objects] == ["whole"]


def test_a_journal_that_has_grown_is_compacted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "COMPACT_FROM_LINES", 10)
    store = Store()
    book = Journal(tmp_path / "state", {"admin": "secret"}, store)
    store.listeners.append(book.record)
    for number in range(95):
        store.put(kinds.CONFIG_MAP, config_map("often", str(number)))
    book.close()

    lines = (tmp_path / "state").read_text().splitlines()

    assert len(lines) < 20
    state = journal.load(tmp_path / "state")
    assert state.version == store.version
    assert list(state.objects.values()) == store.every(kinds.CONFIG_MAP)


def test_a_file_that_is_no_state_is_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "notes"
    foreign.write_text(json.dumps({"mine": True}) + "\n")

    with pytest.raises(NotAJournal):
        testing.start(tmp_path, state=foreign)

    assert json.loads(foreign.read_text()) == {"mine": True}
