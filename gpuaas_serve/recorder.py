"""A proxy before Ollama that counts the tokens its answers tell, and shows them as metrics.

    python3 -m gpuaas_serve.recorder --listen 0.0.0.0:11434 --to 127.0.0.1:11435 --metrics 11436

Requests and answers pass piece by piece as they come, and are not changed; what is kept of one is
bounded.  An answer that does not tell, or that broke off, is counted as untold.
"""

import argparse
import contextlib
import http.client
import json
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from gpuaas_serve.answers import Reader, Used

MOST_AT_ONCE: Final = 64
MOST_MODELS: Final = 100
OTHERS: Final = "other"
_PIECE: Final = 64 * 1024
_LONGEST_CHUNK_LINE: Final = 1024
# A model of 100 GB may be loaded before the first word comes.
_PATIENCE_SECONDS: Final = 3600
_IDLE_SECONDS: Final = 60
_REFUSALS: Final = 400
_HEXADECIMAL: Final = re.compile(rb"[0-9A-Fa-f]{1,15}")
_HOP_BY_HOP: Final = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)
# What answers with tokens; the rest (lists of models, pulling one) has none to tell.
ASKS: Final = (
    "/api/generate",
    "/api/chat",
    "/api/embed",
    "/api/embeddings",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
)
_METRICS: Final = {
    "prompt_computed_tokens": "Prompt tokens, but those that it says came from its cache",
    "prompt_cached_tokens": "Prompt tokens that it says came from its cache",
    "generated_tokens": "Tokens generated",
    "requests": "Requests whose answer told",
}
PREFIX: Final = "ollama_recorder_"


@dataclass
class Counts:
    """What all answers together told, by model."""

    born: float = field(default_factory=time.time)
    by_model: dict[str, dict[str, int]] = field(default_factory=dict)
    untold: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, used: Used | None) -> None:
        """Count one answer; None: it did not tell."""
        with self.lock:
            if used is None:
                self.untold += 1
                return
            name = used.model or "unknown"
            if name not in self.by_model and len(self.by_model) >= MOST_MODELS:
                name = OTHERS
            told = self.by_model.setdefault(name, {})
            figures = {
                "prompt_computed_tokens": used.prompt_computed,
                "prompt_cached_tokens": used.prompt_cached,
                "generated_tokens": used.generated,
                "requests": 1,
            }
            for key, number in figures.items():
                if number is not None:
                    told[key] = told.get(key, 0) + number

    def shown(self) -> str:
        """Return them in the text format of Prometheus."""
        lines = []
        with self.lock:
            for key, what in _METRICS.items():
                name = f"{PREFIX}{key}_total"
                lines += [f"# HELP {name} {what}", f"# TYPE {name} counter"]
                lines += [
                    f'{name}{{model="{_escaped(model)}"}} {told[key]}'
                    for model, told in self.by_model.items()
                    if key in told
                ]
            lines += [
                f"# HELP {PREFIX}untold_requests_total Requests whose answer did not tell",
                f"# TYPE {PREFIX}untold_requests_total counter",
                f"{PREFIX}untold_requests_total {self.untold}",
                "# TYPE process_start_time_seconds gauge",
                f"process_start_time_seconds {self.born:.6f}",
            ]
        return "\n".join(lines) + "\n"


def _escaped(model: str) -> str:
    kept = model[:200].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return kept.replace("\r", " ").replace("\0", " ")


class _Refused(Exception):
    """The request cannot be passed on; the message says why."""


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def log_message(self, *_: Any) -> None:
        """Say nothing: who asks what is nobody's business here."""

    def say(self, status: int, text: str, kind: str = "application/json") -> None:
        """Answer by itself."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Passing(_Quiet):
    """One connection of a client; each of its requests has one of its own to Ollama."""

    server: "Recorder"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # whatever the method is, Ollama says what it thinks of it
            return self._pass
        raise AttributeError(name)

    def _pass(self) -> None:
        self.close_connection = self.close_connection or self.request_version == "HTTP/1.0"
        if not self.server.room.acquire(blocking=False):
            self.close_connection = True
            self.say(503, json.dumps({"error": f"{MOST_AT_ONCE} requests are under way"}))
            return
        upstream = http.client.HTTPConnection(*self.server.to, timeout=_PATIENCE_SECONDS)
        try:
            answer = self._ask(upstream)
        except _Refused as error:
            self.close_connection = True
            self.say(400, json.dumps({"error": str(error)}))
        except (OSError, http.client.HTTPException) as error:
            self.close_connection = True
            self._count(None)
            with contextlib.suppress(OSError):
                self.say(502, json.dumps({"error": f"ollama does not answer: {error}"}))
        else:
            self._answer(answer)
        finally:
            upstream.close()
            self.server.room.release()

    def _ask(self, upstream: http.client.HTTPConnection) -> http.client.HTTPResponse:
        """Pass the request on, and return the answer as soon as it begins."""
        length, is_chunked = self._body()
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        named = {each.strip().lower() for each in self.headers.get("Connection", "").split(",")}
        for name, value in self.headers.items():
            # Ollama's answers are to be read: no coding is asked for.
            if name.lower() not in _HOP_BY_HOP | named | {"accept-encoding", "expect"}:
                upstream.putheader(name, value)
        if is_chunked:
            upstream.putheader("Transfer-Encoding", "chunked")
        upstream.endheaders()
        for piece in self._chunks() if is_chunked else self._exactly(length):
            upstream.send(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked:
            upstream.send(b"0\r\n\r\n")
        return upstream.getresponse()

    def _body(self) -> tuple[int, bool]:
        """Return how long the request's body is, and whether it comes in chunks instead."""
        length = self.headers.get("Content-Length")
        coding = self.headers.get("Transfer-Encoding")
        if coding is not None:
            if length is not None or coding.strip().lower() != "chunked":
                raise _Refused("a body has a Content-Length or is chunked, not both")
            return 0, True
        if length is not None and not (length.isascii() and length.isdecimal()):
            raise _Refused("Content-Length is no number")
        return int(length or 0), False

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length:
            piece = self.rfile.read1(min(length, _PIECE))
            if not piece:
                raise _Refused("the body broke off")
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while length := self._chunk_length():
            yield from self._exactly(length)
            if self.rfile.read(2) != b"\r\n":
                raise _Refused("a chunk has no end")
        while self.rfile.readline(_LONGEST_CHUNK_LINE) not in (b"\r\n", b"\n", b""):
            pass  # trailers

    def _chunk_length(self) -> int:
        line = self.rfile.readline(_LONGEST_CHUNK_LINE)
        digits = line.partition(b";")[0].strip()
        if not _HEXADECIMAL.fullmatch(digits):
            raise _Refused("a chunk has no length")
        return int(digits, 16)

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        """Pass the answer back while it comes, and count what it told."""
        reader = Reader(answer.headers.get("Content-Type", ""))
        is_whole = False
        try:
            is_whole = self._pass_back(answer, reader)
        except (OSError, http.client.HTTPException, ValueError):
            self.close_connection = True  # one of the two is gone
        reader.close()
        if answer.status < _REFUSALS:  # what was refused used nothing
            self._count(reader.used)
        self.close_connection = self.close_connection or not is_whole

    def _pass_back(self, answer: http.client.HTTPResponse, reader: Reader) -> bool:
        """Return whether all of it was passed back."""
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        has_body = self.command != "HEAD" and answer.status not in (204, 304)
        length = answer.headers.get("Content-Length")
        is_chunked = has_body and length is None and self.request_version != "HTTP/1.0"
        if is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        passed = 0
        while has_body and (piece := answer.read1(_PIECE)):
            reader.feed(piece)
            passed += len(piece)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")
        return not has_body or length is None or passed == int(length)

    def _count(self, used: Used | None) -> None:
        if used is not None or self.path.partition("?")[0].rstrip("/") in ASKS:
            self.server.counts.add(used)


class _Metrics(_Quiet):
    server: "_MetricsServer"

    def do_GET(self) -> None:
        """Show the counts."""
        if self.path.partition("?")[0] != "/metrics":
            self.say(404, "only /metrics is here\n", "text/plain")
            return
        kind = "text/plain; version=0.0.4; charset=utf-8"
        self.say(200, self.server.counts.shown(), kind)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let go of a connection that broke."""


class Recorder(_Server):
    """The proxy itself, before the Ollama at ``to``."""

    def __init__(self, listen: tuple[str, int], to: tuple[str, int], counts: Counts) -> None:
        super().__init__(listen, _Passing)
        self.to = to
        self.counts = counts
        self.room = threading.BoundedSemaphore(MOST_AT_ONCE)


class _MetricsServer(_Server):
    def __init__(self, listen: tuple[str, int], counts: Counts) -> None:
        super().__init__(listen, _Metrics)
        self.counts = counts


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until asked to stop."""
    parser = argparse.ArgumentParser(prog="recorder", description="Count what Ollama answers.")
    parser.add_argument("--listen", type=_address, required=True, metavar="HOST:PORT")
    parser.add_argument("--to", type=_address, required=True, metavar="HOST:PORT")
    parser.add_argument("--metrics", type=_address, required=True, metavar="HOST:PORT")
    asked = parser.parse_args(argv)
    counts = Counts()
    recorder = Recorder(asked.listen, asked.to, counts)
    metrics = _MetricsServer(asked.metrics, counts)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    for server in (recorder, metrics):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    stop.wait()
    for server in (recorder, metrics):
        server.shutdown()
        server.server_close()
    return 0


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST:PORT")
    return host, int(port)


if __name__ == "__main__":
    raise SystemExit(main())
