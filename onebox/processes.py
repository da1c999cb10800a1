"""Starting, recognising and stopping processes so that none outlives its use.

A child asks the kernel (Linux) for a signal on its parent's death.  Elsewhere, and for what a
crash leaves behind anyway, a left-over is found by its pid and recognised by its command line: a
pid alone proves nothing, containers hand the same small numbers out again after every restart.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

LOOPBACK = "127.0.0.1"

# How a process is made to end: a signal, the seconds it is given, then the next signal.
Escalation: TypeAlias = Sequence[tuple[signal.Signals, float]]
POLITELY: Final[Escalation] = ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))
_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.02

# Loaded before any fork: between fork and exec a child must not wait for the loader's lock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Account:
    """The system user a process runs as."""

    name: str
    uid: int
    gid: int


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    on_parent_death: signal.Signals,
    account: Account | None = None,
) -> "subprocess.Popen[bytes]":
    """Start `command` in a session of its own, its output appended to `log`.

    Call it from the main thread: the kernel's parent-death signal follows the *thread* that
    forked, and a helper thread ends long before the process does.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,  # Ctrl-C is the runner's to act upon, in its order
            preexec_fn=dies_with_parent(on_parent_death),  # noqa: PLW1509 -- one prctl, preloaded
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def dies_with_parent(signal_number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child does between fork and exec to be sent a signal when we die."""
    if _libc is None:
        return None
    libc, parent = _libc, os.getpid()

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask_the_kernel


def command_line(pid: int) -> str:
    """Return what `pid` runs, or "" if it is gone or only waits to be reaped."""
    if sys.platform == "linux":
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return raw.replace(b"\0", b" ").decode(errors="replace").strip()
    answer = subprocess.run(
        ["ps", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, command = answer.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else command.strip()


def runs(pid: int, *, mentioning: str) -> bool:
    """Tell whether `pid` is alive and its command line names `mentioning`."""
    return pid > 0 and mentioning in command_line(pid)


def birth(pid: int) -> str:
    """Return when `pid` began, "" if it is gone: with the pid this names a process for good."""
    if sys.platform == "linux":
        try:
            # The name in brackets may itself contain spaces and brackets.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        state, started = fields[0], fields[19]
        return "" if state == "Z" else started
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()


def stop_left_over(pid: int, *, mentioning: str, escalation: Escalation) -> None:
    """Stop a process that is not our child, if it still is the one that is meant."""
    if not runs(pid, mentioning=mentioning):
        return
    for signal_number, patience_seconds in escalation:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        if wait_until(
            lambda: not runs(pid, mentioning=mentioning), timeout_seconds=patience_seconds
        ):
            return


def stop_child(child: "subprocess.Popen[bytes]", *, escalation: Escalation = POLITELY) -> None:
    """Stop our child and reap it."""
    for signal_number, patience_seconds in escalation:
        if child.poll() is not None:
            return
        child.send_signal(signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience_seconds)


def wait_until(condition: Callable[[], bool], *, timeout_seconds: float) -> bool:
    """Poll `condition` until it holds; False if it did not within the time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def free_port() -> int:
    """Return a loopback port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the loopback `port`."""
    with socket.socket() as probe:
        # As servers do: a connection of the previous run that lingers in TIME_WAIT is no reason
        # to move to another address.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def accepts_connections(port: int) -> bool:
    """Tell whether a server listens on the loopback `port`."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def last_lines(log: Path, *, count: int = 3) -> str:
    """Return the end of a log on one line, for an error message."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return "no log"
    return " | ".join(line.strip() for line in lines[-count:]) or "empty log"
