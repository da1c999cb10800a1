"""Pods that answer, on a control plane without nodes.

The API server of the test's control plane reaches pods through this: a proxy at a socket file, as
its egress configuration says.  Whatever address it wants to reach, it finds what was shown last.
"""

import contextlib
import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Pods(socketserver.ThreadingUnixStreamServer):
    """Answers CONNECT, and then one request the way every pod was told to."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.answer = b""
        self.asked: list[str] = []
        self.socket_path = folder / "pods.sock"
        super().__init__(str(self.socket_path), _Handler)

    def show(self, text: str | bytes, *, status: str = "200 OK", headers: str = "") -> None:
        body = text.encode() if isinstance(text, str) else text
        length = f"Content-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
        self.answer = f"HTTP/1.1 {status}\r\n{length}".encode() + body

    def egress(self) -> dict[str, Any]:
        """Return the API server's configuration that leads here."""
        uds = {"udsName": str(self.socket_path)}
        connection = {"proxyProtocol": "HTTPConnect", "transport": {"uds": uds}}
        return {
            "apiVersion": "apiserver.k8s.io/v1beta1",
            "kind": "EgressSelectorConfiguration",
            "egressSelections": [{"name": "cluster", "connection": connection}],
        }


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Pods)
        connect = self._head()
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        request = self._head()
        self.server.asked.append(f"{connect.split()[1]} {request.split()[1]}")
        self.wfile.write(self.server.answer)

    def _head(self) -> str:
        lines = list(iter(self.rfile.readline, b"\r\n"))
        return lines[0].decode()


@contextlib.contextmanager
def answering() -> Iterator[tuple[Pods, Path]]:
    """Yield the pods and the file for ``--egress-selector-config-file``."""
    # A socket's path is short, whatever the folder of the tests is called.
    with tempfile.TemporaryDirectory(prefix="gpuaas-pods-") as name:
        folder = Path(name)
        with Pods(folder) as pods:
            thread = threading.Thread(target=pods.serve_forever, daemon=True)
            thread.start()
            config = folder / "egress.json"
            config.write_text(json.dumps(pods.egress()))
            try:
                yield pods, config
            finally:
                pods.shutdown()
                thread.join()
