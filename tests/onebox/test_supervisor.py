"""Processes: recognised, kept alive, stopped in order."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from onebox import (
    processes,
)
from onebox.errors import CannotStart
from onebox.state import State
from onebox.supervisor import (
    FIRST_PAUSE_SECONDS,
    STABLE_AFTER_SECONDS,
    Process,
    Program,
    Supervisor,
    stop_left_overs,
)


@pytest.fixture
def folder(tmp_path: Path) -> State:
    folder = State(tmp_path / "local")
    folder.make_folders()
    return folder


def test_a_process_is_known_by_its_birth_until_it_dies() -> None:
    child = subprocess.Popen(["sleep", "60"])
    born = processes.birth(child.pid)

    assert born
    assert processes.birth(child.pid) == born
    child.kill()
    assert processes.wait_until(lambda: not processes.birth(child.pid), timeout_seconds=5)
    assert processes.command_line(child.pid) == ""  # a zombie runs nothing
    child.wait()


def test_only_the_process_that_is_meant_is_stopped() -> None:
    child = subprocess.Popen(["sleep", "61"])
    # The kernel shows the new command line a moment after it has closed what Popen waits for.
    assert processes.wait_until(
        lambda: processes.runs(child.pid, mentioning="sleep 61"), timeout_seconds=5
    )

    processes.stop_left_over(child.pid, mentioning="/somewhere/else", escalation=processes.POLITELY)
    assert child.poll() is None

    processes.stop_left_over(child.pid, mentioning="sleep 61", escalation=processes.POLITELY)
    assert child.wait(1) == -signal.SIGTERM


def test_who_does_not_listen_is_killed() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN);"
         "print(flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout
    child.stdout.readline()

    processes.stop_child(child, escalation=((signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0)))

    assert child.returncode == -signal.SIGKILL
    child.stdout.close()


class Lines:
    """What was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


def sleeper(*, seconds: float) -> "Process[bytes]":
    return subprocess.Popen(["sleep", str(seconds)], start_new_session=True)


def test_what_dies_is_started_again_later_each_time(tmp_path: Path) -> None:
    said, started = Lines(), []

    def start() -> "Process[bytes]":
        child = sleeper(seconds=60)
        started.append(child)
        return child

    supervisor = Supervisor(record=tmp_path / "processes.json", say=said)
    supervisor.start(Program("web", start, tier=1), now=0.0)
    now = 1.0
    for _ in range(2):
        started[-1].kill()
        started[-1].wait()
        supervisor.tend(now=now)
        supervisor.tend(now=now + FIRST_PAUSE_SECONDS / 2)  # too early
        now += 10
        supervisor.tend(now=now)
    supervisor.stop_all()

    assert len(started) == 3
    assert said.lines == [
        "web ended (SIGKILL): starting it again in 0.5 s",
        "web ended (SIGKILL): starting it again in 1.0 s",
    ]
    assert [child.poll() is None for child in started] == [False, False, False]


def test_who_lived_long_is_started_again_at_once(tmp_path: Path) -> None:
    said = Lines()
    supervisor = Supervisor(record=tmp_path / "processes.json", say=said)
    supervisor.start(Program("web", lambda: sleeper(seconds=0), tier=1), now=0.0)
    now = 0.0
    for _ in range(2):
        now += STABLE_AFTER_SECONDS + 5
        assert processes.wait_until(lambda: bool(supervisor.ended()), timeout_seconds=5)
        supervisor.tend(now=now)
        supervisor.tend(now=now + 1)
    supervisor.stop_all()

    assert said.lines == ["web ended (exit status 0): starting it again in 0.5 s"] * 2


def test_a_start_that_fails_is_tried_again(tmp_path: Path) -> None:
    said, attempts = Lines(), [0]

    def start() -> "Process[bytes]":
        attempts[0] += 1
        if attempts[0] == 2:
            raise CannotStart("the disk is full")
        return sleeper(seconds=0 if attempts[0] == 1 else 60)

    supervisor = Supervisor(record=tmp_path / "processes.json", say=said)
    supervisor.start(Program("postgres", start, tier=1), now=0.0)
    assert processes.wait_until(lambda: bool(supervisor.ended()), timeout_seconds=5)
    for now in (1.0, 2.0, 30.0, 60.0):
        supervisor.tend(now=now)

    assert attempts[0] == 3
    assert "postgres did not start (the disk is full): starting it again in 1.0 s" in said.lines
    supervisor.stop_all()


def test_a_child_that_ends_during_the_start_is_named_with_its_last_words(folder: State) -> None:
    folder.log("web").write_text("ModuleNotFoundError: No module named 'gpuaas'\n")
    supervisor = Supervisor(record=folder.processes, say=Lines())
    supervisor.start(Program("web", lambda: sleeper(seconds=0), tier=1), now=0.0)
    assert processes.wait_until(lambda: bool(supervisor.ended()), timeout_seconds=5)

    with pytest.raises(CannotStart, match=r"web ended \(exit status 0\): ModuleNotFoundError"):
        supervisor.require_all_alive(logs=folder.logs)
    supervisor.stop_all()


def test_the_highest_tier_ends_first(tmp_path: Path) -> None:
    ended: list[str] = []
    supervisor = Supervisor(record=tmp_path / "processes.json", say=Lines())
    order = tmp_path / "order"
    for tier, name in enumerate(("database", "web", "beat")):
        command = f"trap 'echo {name} >> {order}; exit' TERM; while :; do sleep 0.02; done"
        supervisor.start(
            Program(
                name,
                lambda command=command: subprocess.Popen(  # type: ignore[misc]
                    ["sh", "-c", command], start_new_session=True
                ),
                tier,
            ),
            now=0.0,
        )
    assert processes.wait_until(lambda: not supervisor.ended(), timeout_seconds=5)
    subprocess.run(["sleep", "0.3"], check=True)  # until every shell has set its trap

    supervisor.stop_all()

    ended = order.read_text().split()
    assert ended == ["beat", "web", "database"]


def test_left_overs_are_stopped_and_strangers_are_not(tmp_path: Path) -> None:
    ours, stranger = sleeper(seconds=60), sleeper(seconds=60)
    record = tmp_path / "processes.json"
    record.write_text(
        json.dumps(
            {
                "web": {"pid": ours.pid, "birth": processes.birth(ours.pid)},
                "beat": {"pid": stranger.pid, "birth": "another time"},
            }
        )
    )

    assert stop_left_overs(record) == ["web"]

    assert ours.wait(1) == -signal.SIGTERM
    assert stranger.poll() is None
    assert not record.exists()
    stranger.kill()
    stranger.wait()
