"""Show when a kernel or a terminal of the workspace last did something, as metrics.

    python3 -m gpuaas_serve.activity --listen 0.0.0.0:8091 [--jupyter http://127.0.0.1:8888/...]

A kernel is asked of Jupyter; a terminal, whoever opened it, is a device that was last written or
read at a moment.  What cannot be asked is said to have failed, and is not quiet.
"""

import argparse
import json
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

TERMINALS: Final = Path("/dev/pts")
_PATIENCE_SECONDS: Final = 2
_MOST_BYTES: Final = 1024 * 1024
_QUIET: Final = "workspace_quiet_seconds"
_FAILED: Final = "workspace_probe_failed"

Probe = Callable[[float], float]
"""Takes the time, returns when something last happened; both in seconds since the epoch."""


def kernels_of(jupyter: str) -> Probe:
    """Return the probe that asks Jupyter; a busy kernel is at work now.  It may raise."""

    def asked(what: str) -> list[dict[str, Any]]:
        address = f"{jupyter.rstrip('/')}/api/{what}"
        with urllib.request.urlopen(address, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310 -- ours
            found = json.loads(answer.read(_MOST_BYTES))
        if not isinstance(found, list):
            raise TypeError(f"{what} are no list")
        return found

    def probe(now: float) -> float:
        kernels = asked("kernels")
        if any(each["execution_state"] == "busy" for each in kernels):
            return now
        moments = [datetime.fromisoformat(each["last_activity"]) for each in kernels]
        return max((moment.timestamp() for moment in moments), default=0)

    return probe


def terminals_in(folder: Path) -> Probe:
    """Return the probe that looks at the terminals in ``folder``.  It may raise."""

    def probe(_: float) -> float:
        last = 0.0
        for path in folder.iterdir():
            if path.name.isdecimal():
                try:
                    found = path.stat()
                except FileNotFoundError:  # closed just now
                    continue
                last = max(last, found.st_mtime, found.st_atime)
        return last

    return probe


def shown(probes: dict[str, Probe], *, started: float, now: float) -> str:
    """Return what the probes find; before ``started`` nothing is known to have been quiet."""
    quiet, failed = [], []
    for name, probe in probes.items():
        try:
            last = probe(now)
        except (OSError, ValueError, KeyError, TypeError):
            failed.append(f'{_FAILED}{{source="{name}"}} 1')
        else:
            failed.append(f'{_FAILED}{{source="{name}"}} 0')
            seconds = max(now - max(last, started), 0)
            quiet.append(f'{_QUIET}{{source="{name}"}} {seconds:.0f}')
    return "\n".join([f"# TYPE {_QUIET} gauge", *quiet, f"# TYPE {_FAILED} gauge", *failed, ""])


class _Handler(BaseHTTPRequestHandler):
    server: "Server"
    timeout = 10

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Show what was found."""
        is_known = self.path.partition("?")[0] == "/metrics"
        body = self.server.text().encode() if is_known else b"only /metrics is here\n"
        self.send_response(200 if is_known else 404)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Answers with what ``probes`` find."""

    daemon_threads = True

    def __init__(self, listen: tuple[str, int], probes: dict[str, Probe]) -> None:
        super().__init__(listen, _Handler)
        self.probes = probes
        self.started = time.time()

    def text(self) -> str:
        """Return the metrics as they are now."""
        return shown(self.probes, started=self.started, now=time.time())


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until asked to stop."""
    parser = argparse.ArgumentParser(prog="activity", description="Show who works in here.")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--jupyter", default="", metavar="URL")
    asked = parser.parse_args(argv)
    host, _, port = asked.listen.rpartition(":")
    probes = {"terminals": terminals_in(TERMINALS)}
    if asked.jupyter:
        probes["kernels"] = kernels_of(asked.jupyter)
    server = Server((host, int(port)), probes)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stop.wait()
    server.shutdown()
    server.server_close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
