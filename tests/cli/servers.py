"""Servers on loopback that are not GPUaaS, or have a bad day."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Stranger:
    """What it was asked: method and path, and the Idempotency-Key of each."""

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@contextmanager
def stranger(*answers: Answer) -> Iterator[Stranger]:
    """Yield a server that gives ``answers`` in turn, and the last one for ever."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.asked.append((self.command, self.path))
            made.keys.append(self.headers.get("Idempotency-Key"))
            (left.pop(0) if len(left) > 1 else left[0])(self)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def log_message(self, *_: object) -> None:  # silence
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Stranger(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def says(status: int, body: bytes, kind: str = "application/json", **headers: str) -> Answer:
    """Answer with a body and headers, whose underscores are dashes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def huge(handler: BaseHTTPRequestHandler) -> None:
    """Send more than anybody wants to read."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    try:
        for _ in range(400):
            handler.wfile.write(b"1," * 50_000)
    except OSError:
        pass


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def silent_for(seconds: float) -> Answer:
    """Say nothing for a while."""

    def answer(_: BaseHTTPRequestHandler) -> None:
        threading.Event().wait(seconds)

    return answer


def no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
