"""When a kernel or a terminal of a workspace last did something."""

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from gpuaas_serve import activity
from reconciler import presence

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


class Jupyter(BaseHTTPRequestHandler):
    """Answers about kernels as `answer` of its server says."""

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        status, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status if self.path == "/base/api/kernels" else 404)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def jupyter() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Jupyter)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def kernel(state: str, seconds_ago: float) -> dict[str, str]:
    at = datetime.fromtimestamp(NOW - seconds_ago, tz=UTC)
    return {"execution_state": state, "last_activity": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


def quiet(jupyter: ThreadingHTTPServer, answer: bytes, status: int = 200) -> float | None:
    jupyter.answer = (status, answer)  # type: ignore[attr-defined]
    probe = activity.kernels_of(f"http://127.0.0.1:{jupyter.server_port}/base/")
    return presence.quiet_in(activity.shown({"kernels": probe}, started=NOW - 9000, now=NOW))


@pytest.mark.parametrize(
    ("kernels", "seconds"),
    [
        ([], 9000),
        ([kernel("idle", 700), kernel("idle", 300)], 300),
        ([kernel("idle", 700), kernel("busy", 700)], 0),
        ([kernel("idle", 99_000)], 9000),  # before it began to look nothing is known
        ([kernel("idle", -60)], 0),
    ],
)
def test_kernels(jupyter: ThreadingHTTPServer, kernels: list[Any], seconds: float) -> None:
    assert quiet(jupyter, json.dumps(kernels).encode()) == seconds


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, b"[]"),
        (200, b"no json"),
        (200, b"{}"),
        (200, b"[{}]"),
        (200, b"[3]"),
        (200, b'[{"execution_state": "idle", "last_activity": "then"}]'),
        (200, b'[{"execution_state": "idle", "last_activity": null}]'),
    ],
)
def test_what_jupyter_does_not_tell_is_not_known(
    jupyter: ThreadingHTTPServer, status: int, answer: bytes
) -> None:
    assert quiet(jupyter, answer, status) is None


def test_a_terminal_was_at_work_when_it_was_last_written_or_read(tmp_path: Path) -> None:
    for name, read, written in (("0", 500, 800), ("1", 900, 400), ("ptmx", 1, 1)):
        path = tmp_path / name
        path.touch()
        os.utime(path, (NOW - read, NOW - written))

    assert activity.terminals_in(tmp_path)(NOW) == NOW - 400
    with pytest.raises(OSError, match="nowhere"):
        activity.terminals_in(tmp_path / "nowhere")(NOW)


def test_a_terminal_that_is_closed_meanwhile_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "3").symlink_to(tmp_path / "gone")

    assert activity.terminals_in(tmp_path)(NOW) == 0


def fetched(address: str) -> str:
    answer = httpx.get(address, timeout=5, trust_env=False)
    return answer.text


def test_as_a_process_it_sees_a_real_terminal_and_stops_when_asked() -> None:
    master, terminal = pty.openpty()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "gpuaas_serve.activity", f"--listen=127.0.0.1:{port}"]
    )
    address = f"http://127.0.0.1:{port}"
    try:
        os.write(terminal, b"work\n")
        text = ""
        until = time.monotonic() + 20
        while not text and time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                text = fetched(f"{address}/metrics")
            time.sleep(0.05)
        found = presence.quiet_in(text)
        assert found is not None
        assert found < 60
        assert fetched(f"{address}/else") == "only /metrics is here\n"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        os.close(master)
        os.close(terminal)
