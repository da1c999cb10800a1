"""Child processes that do not outlive us.

The kernel ends each child when its parent dies (Linux).  A pid file lets the next start find what
was left where the kernel does not.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
POLL_SECONDS: Final = 0.05


class Died(Exception):
    """A component ended on its own; the message is its last words, in one line."""


class Processes:
    """The components of one control plane, in the order they were started.

    Start them from the main thread: the kernel takes the thread that forked for the parent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, command: Sequence[str], *, working_directory: Path) -> None:
        """Start a component; what it says goes to NAME.log."""
        parent = os.getpid()

        def die_with_parent() -> None:
            if LIBC is not None:
                LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:  # it died before we could say so
                    os._exit(1)

        with self._log(name).open("wb") as log:
            child = subprocess.Popen(
                command,
                cwd=working_directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops us in order
                preexec_fn=die_with_parent,  # noqa: PLW1509 -- the supervisor has one thread
            )
        self._running[name] = child
        self._pid_file(name).write_text(f"{child.pid}\n")

    def check(self) -> None:
        """Raise `Died` if a component is no longer there."""
        for name, child in self._running.items():
            if child.poll() is not None:
                raise Died(f"{name} ended with status {child.returncode}: {self.last_words(name)}")

    def last_words(self, name: str) -> str:
        """Return the last line a component logged."""
        lines = self._log(name).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def stop(self, *, patience_seconds: float) -> None:
        """Stop all, the last started first: each goes before what it needs."""
        for name, child in reversed(self._running.items()):
            child.terminate()
            try:
                child.wait(timeout=patience_seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            self._pid_file(name).unlink(missing_ok=True)
        self._running.clear()

    def reap(self) -> None:
        """End what an earlier run on this folder left behind, and nothing else."""
        for pid_file in self._folder.glob("*.pid"):
            with contextlib.suppress(ValueError):
                pid = int(pid_file.read_text())
                # A pid is used again; a command line that names our folder is not.
                if str(self._folder) in command_line(pid):
                    _kill(pid)
            pid_file.unlink(missing_ok=True)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _pid_file(self, name: str) -> Path:
        return self._folder / f"{name}.pid"


def command_line(pid: int) -> str:
    """Return how a process was called, or nothing if there is none."""
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        listing = ["ps", "-o", "command=", "-p", str(pid)]
        return subprocess.run(listing, capture_output=True, text=True, check=False).stdout
    return ""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    while command_line(pid):  # its ports and files are ours only when it is gone
        time.sleep(POLL_SECONDS)
