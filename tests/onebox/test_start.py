"""What a start decides, each decision without a product."""

import io
import os
import socket
from pathlib import Path

import pytest

from onebox import (
    cli,
    environment,
    external,
    kubeconfig,
    preparation,
    processes,
    runner,
    state,
)
from onebox.errors import CannotStart
from onebox.state import State
from onebox.terminal import Terminal

KUBECONFIG = """
clusters:
- name: real
  cluster: {server: https://10.0.0.1, certificate-authority: pki/ca.crt}
users:
- name: me
  user: {client-certificate: /etc/me.crt, client-key: me.key}
contexts: [{name: real, context: {cluster: real, user: me}}]
current-context: real
"""


@pytest.fixture
def folder(tmp_path: Path) -> State:
    folder = State(tmp_path / "local")
    folder.make_folders()
    return folder


# --- ports ----------------------------------------------------------------------------------------


def test_the_first_port_is_taken_when_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    first = processes.free_port()
    monkeypatch.setattr(runner, "FIRST_PORT", first)

    assert runner.choose_port("") == first


def test_the_next_free_port_is_taken_when_the_first_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        first = server.getsockname()[1]
        monkeypatch.setattr(runner, "FIRST_PORT", first)

        assert runner.choose_port("") > first


def test_a_port_that_was_asked_for_must_be_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        wanted = server.getsockname()[1]

        with pytest.raises(CannotStart, match=f"port {wanted} is in use"):
            runner.choose_port(str(wanted))


@pytest.mark.parametrize("wanted", ["http", "0", "65536", "-1"])
def test_what_is_no_port_is_refused(wanted: str) -> None:
    with pytest.raises(CannotStart, match="is not a port number"):
        runner.choose_port(wanted)


# --- the state folder -----------------------------------------------------------------------------


def test_the_secret_key_is_made_once_and_is_private(folder: State) -> None:
    key = folder.secret_key()

    assert folder.secret_key() == key
    assert (folder.folder / "secret-key").stat().st_mode & 0o777 == 0o600


def test_the_folder_has_one_runner(folder: State) -> None:
    state.write_private(folder.environment, '{"GPUAAS_BASE_URL": "http://127.0.0.1:8003"}')

    with folder.locked():
        assert folder.is_locked()
        with (
            pytest.raises(CannotStart, match=r"already running at http://127\.0\.0\.1:8003"),
            folder.locked(),
        ):
            pass
    assert not folder.is_locked()


def test_a_log_that_grew_too_long_becomes_the_previous_one(
    folder: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_LARGEST_LOG_BYTES", 3)
    folder.log("web").write_text("long")

    assert not folder.log("web").exists()
    assert (folder.logs / "web.log.1").read_text() == "long"


def test_a_full_disk_is_said_with_its_numbers(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"no disk space: [\d.]+ GiB free in .*GiB needed"):
        state.require_free_space(tmp_path / "not there yet", needed_bytes=2**60)


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"'])
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "prepared.json"
    file.write_text(content)

    assert state.read_json(file) == {}


# --- clusters, databases, brokers of others -------------------------------------------------------


def test_a_kubeconfig_works_from_another_folder(tmp_path: Path) -> None:
    source, target = tmp_path / "config", tmp_path / "demo.kubeconfig"
    source.write_text(KUBECONFIG)

    kubeconfig.adopt(source, target)

    text = target.read_text()
    assert f"certificate-authority: {tmp_path}/pki/ca.crt" in text
    assert f"client-key: {tmp_path}/me.key" in text
    assert "client-certificate: /etc/me.crt" in text
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        ("just text", "names no cluster"),
        ("{", "it is no YAML"),
        ("clusters: []", "names no cluster"),
    ],
)
def test_what_is_no_kubeconfig_is_refused(
    tmp_path: Path, content: str | None, message: str
) -> None:
    source = tmp_path / "config"
    if content is not None:
        source.write_text(content)

    with pytest.raises(CannotStart, match=f"CLUSTER=.*config: .*{message}"):
        kubeconfig.adopt(source, tmp_path / "demo.kubeconfig")


def test_a_database_that_does_not_answer_is_said_without_its_password() -> None:
    url = f"postgresql://me:hidden@127.0.0.1:{processes.free_port()}/gpuaas"

    with pytest.raises(CannotStart, match=r"DATABASE_URL: .*refused") as caught:
        external.check_database(url)
    assert "hidden" not in str(caught.value)


def test_a_broker_that_does_not_answer_is_said_without_its_password() -> None:
    with pytest.raises(CannotStart, match=r"CELERY_BROKER_URL: .*refused") as caught:
        external.check_broker(f"redis://:hidden@127.0.0.1:{processes.free_port()}/0")
    assert "hidden" not in str(caught.value)


def test_our_settings_win_over_those_we_were_started_with(
    folder: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPUAAS_ALLOWED_HOSTS", "*")
    monkeypatch.setenv("GPUAAS_LOG_LEVEL", "DEBUG")
    told = environment.build(
        folder, environment.Addresses("http://x", "postgresql://", "redis://", "")
    )

    child = environment.for_children(told)

    assert child["GPUAAS_ALLOWED_HOSTS"] == "127.0.0.1,localhost"
    assert child["GPUAAS_LOG_LEVEL"] == "DEBUG"


# --- what is prepared -----------------------------------------------------------------------------


def test_the_preparation_is_repeated_for_another_database_and_another_cluster(
    folder: State,
) -> None:
    done = preparation.fingerprint(database="one", cluster="simulated")
    state.write_private(folder.prepared, state.as_json({"fingerprint": done}))
    folder.static.mkdir()

    assert preparation.is_current(folder, done)
    for database, cluster in (("two", "simulated"), ("one", "controlplane")):
        wanted = preparation.fingerprint(database=database, cluster=cluster)
        assert not preparation.is_current(folder, wanted)


# --- what is printed ------------------------------------------------------------------------------


def test_a_step_is_one_line_with_its_time() -> None:
    output = io.StringIO()

    with Terminal(output).step("database") as step:
        step.detail = "port 5432"

    line = output.getvalue()
    assert line.split() == ["ok", "database", "port", "5432", "0.0", "s"]
    assert line.count("\n") == 1
    assert "\033" not in line  # no terminal, no colour


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, *, coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    output = io.StringIO()
    monkeypatch.setattr(output, "isatty", lambda: True)

    Terminal(output).heading("ready")

    assert ("\033[" in output.getvalue()) is coloured


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CannotStart("port 8000 is in use"), "cannot reset: port 8000 is in use\n"),
        (OSError(28, "No space left on device", "/x"), "cannot reset: no disk space left: /x\n"),
        (OSError(13, "Permission denied", "/x"), "cannot reset: Permission denied: /x\n"),
        (KeyboardInterrupt(), "cannot reset: interrupted\n"),
    ],
)
def test_a_failure_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    line: str,
) -> None:
    def fail() -> State:
        raise error

    monkeypatch.setattr(state, "current", fail)

    assert cli.main(["reset"]) == 1
    assert capsys.readouterr().err == line


def test_manage_needs_a_running_product(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GPUAAS_STATE_DIR", str(tmp_path / "none"))

    assert cli.main(["manage", "check"]) == 1
    assert "is not running: start it with `make run`" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert os.path.isdir(tmp_path)
