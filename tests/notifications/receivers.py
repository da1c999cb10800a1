"""Servers on loopback that receive: a mail server, and web servers with bad manners."""

import contextlib
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def web_server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the address of a server that answers with ``answer``, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, dict(self.headers), body))
            answer(self)

        def log_message(self, *_: object) -> None:  # silence
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?x=1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()

    return answer


def huge(handler: BaseHTTPRequestHandler) -> None:
    """Claim and send far more than anybody wants to read."""
    status(200, **{"Content-Length": str(10**12)})(handler)
    try:
        for _ in range(1000):
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


def not_text(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 \xff\xfe\xc3\r\nX-\xff: \xfe\r\n\r\n\xff\xfe")


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\xff\xfe\x00not http at all\r\n\r\n")


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """Send a first line that never ends, slowly enough that no single read times out."""
    try:
        handler.wfile.write(b"HTTP/1.1")
        while True:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        pass


def silent(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.settimeout(5)
    with contextlib.suppress(OSError):
        handler.rfile.read(1)  # until the other side hangs up


class _Mail(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        self._say("220 loopback")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(maxsplit=1)[0].upper()
            if verb == "RCPT" and server.refuses:
                self._say(server.refuses)
            elif verb == "DATA":
                self._say("354 go on")
                server.letters.append(self._letter())
                self._say("250 taken")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def _letter(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        return b"".join(lines)


@contextmanager
def mail_server(*, refuses: str = "") -> Iterator[tuple[int, list[bytes]]]:
    """Yield the port of a mail server and its letters; ``refuses`` answers every RCPT."""
    server: Any = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mail)
    server.daemon_threads = True
    server.letters, server.refuses = [], refuses
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1], server.letters
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
