"""An embedded Redis-protocol server: the broker of the Celery queues, kept across restarts.

    server = valkey.start(Path(".local/valkey"))
    server.url      # redis://:password@127.0.0.1:PORT/0
    server.stop()

The folder keeps the append-only file, `password`, `pid` and `server.log`.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from onebox import binaries, processes
from onebox.errors import CannotStart
from onebox.processes import LOOPBACK

_READY_TIMEOUT_SECONDS = 30
_ATTEMPTS = 3
_ATTEMPT_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Valkey:
    """A running server."""

    url: str
    process: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def stop(self) -> None:
        """Stop the server after it has written what it holds."""
        processes.stop_child(self.process)


def start(directory: Path, *, durable: bool = True, port: int | None = None) -> Valkey:
    """Start the server of `directory`; return when it answers.

    Not `durable` is for tests: memory only, and killed with its parent.  Without a `port` it takes
    one that is free.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory = directory.resolve()
    program = binaries.valkey_server()
    _stop_left_over(directory)
    password = _password(directory)
    for _ in range(_ATTEMPTS):
        listen_at = port or processes.free_port()
        process = _launch(directory, program=program, port=listen_at, durable=durable)
        if _wait_until_ready(process, port=listen_at, password=password):
            return Valkey(url=f"redis://:{password}@{LOOPBACK}:{listen_at}/0", process=process)
        processes.stop_child(process, escalation=((signal.SIGKILL, 1.0),))
        time.sleep(_ATTEMPT_PAUSE_SECONDS)
    raise CannotStart(f"Valkey does not start: {processes.last_lines(directory / 'server.log')}")


def forget(directory: Path) -> None:
    """Stop a left-over server of `directory` and remove what it kept."""
    _stop_left_over(directory.resolve())
    shutil.rmtree(directory, ignore_errors=True)


def _launch(
    directory: Path, *, program: Path, port: int, durable: bool
) -> "subprocess.Popen[bytes]":
    log, configuration = directory / "server.log", directory / "server.conf"
    configuration.write_text(
        "\n".join(
            (
                f"bind {LOOPBACK}",
                f"port {port}",
                f'dir "{directory}"',
                f'pidfile "{directory / "pid"}"',
                f'include "{directory / "password.conf"}"',
                # The folder in the command line is how a left-over is recognised.
                'proc-title-template "{title} {listen-addr} {config-file}"',
                # Every write reaches the file before the client has its answer: a task that was
                # accepted outlives kill -9.
                f"appendonly {'yes' if durable else 'no'}",
                'save ""',
                "maxmemory 200mb",
                "maxmemory-policy noeviction",
            )
        )
    )
    return processes.spawn(
        [program, configuration],
        log=log,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        cwd=directory,
        on_parent_death=signal.SIGTERM if durable else signal.SIGKILL,
    )


def _password(directory: Path) -> str:
    """Return the server's password; in a file, so that no process list shows it."""
    file = directory / "password.conf"
    if file.exists() and (words := file.read_text().split()):
        return words[-1]
    password = secrets.token_urlsafe(24)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(f"requirepass {password}\n")
    return password


def _stop_left_over(directory: Path) -> None:
    pid_file = directory / "pid"
    with contextlib.suppress(OSError, ValueError):
        processes.stop_left_over(
            int(pid_file.read_text()),
            mentioning=str(directory),
            escalation=processes.POLITELY,
        )
    pid_file.unlink(missing_ok=True)


def _wait_until_ready(process: "subprocess.Popen[bytes]", *, port: int, password: str) -> bool:
    processes.wait_until(
        lambda: process.poll() is not None or _answers(port, password),
        timeout_seconds=_READY_TIMEOUT_SECONDS,
    )
    return process.poll() is None and _answers(port, password)


def _answers(port: int, password: str) -> bool:
    """Tell whether the server lets us in and has finished loading what it kept."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (part := connection.recv(512)):  # noqa: PLR2004
                answer += part
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"
