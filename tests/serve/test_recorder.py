"""The recorder before a real little HTTP server that speaks Ollama's API, and breaks it."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gpuaas_serve import recorder
from gpuaas_serve.answers import Used
from gpuaas_serve.recorder import Counts, Recorder
from tokenomics.core import engines

NATIVE = {"model": "qwen3:8b", "done": True, "prompt_eval_count": 26, "eval_count": 290}
OPENAI = {
    "model": "qwen3:8b",
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}
WORDS = [{"model": "qwen3:8b", "response": word, "done": False} for word in ("Hel", "lo", "!")]


class Ollama(BaseHTTPRequestHandler):
    """What Ollama answers, as far as a proxy can see; paths under /broken break off."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._whole(b"Ollama is running", "text/plain")

    do_HEAD = do_DELETE = do_GET  # noqa: N815 -- as HTTP has it

    def do_POST(self) -> None:
        path, body = self.path.partition("?")[0], self._body()
        self.server.heard.append((path, dict(self.headers), body))  # type: ignore[attr-defined]
        if path.startswith(("/api/", "/v1/")):
            self._ask(path, json.loads(body or b"{}"))
        elif path == "/slow":
            self._slow()
        else:
            self._break(path)

    def _ask(self, path: str, asked: Any) -> None:
        is_native = path in ("/api/generate", "/api/chat")
        if is_native and asked.get("stream", True):
            lines = [json.dumps(each).encode() + b"\n" for each in [*WORDS, NATIVE]]
            self._stream(lines, "application/x-ndjson")
        elif is_native:
            self._whole(json.dumps(NATIVE).encode(), "application/json; charset=utf-8")
        elif path == "/api/embed":
            answer = {"model": "e5", "embeddings": [[0.1] * 50_000], "prompt_eval_count": 8}
            self._whole(json.dumps(answer).encode())
        elif path == "/api/pull":
            self._stream([b'{"status":"success"}\n'], "application/x-ndjson")
        elif path.startswith("/api/"):
            self._whole(b'{"error": "model not found", "eval_count": 7}', status=404)
        elif asked.get("stream"):
            parts: list[Any] = [{"model": "qwen3:8b", "choices": [1]}]
            parts += [OPENAI] if asked.get("stream_options") else []
            lines = [f"data: {json.dumps(each)}\n\n".encode() for each in parts]
            self._stream([*lines, b"data: [DONE]\n\n"], "text/event-stream")
        else:
            self._whole(json.dumps(OPENAI).encode())

    def _slow(self) -> None:
        self._headers("application/x-ndjson", chunked=True)
        self._chunk(b'{"response": "first"}\n')
        self.server.go_on.wait(20)  # type: ignore[attr-defined]
        self._chunk(json.dumps(NATIVE).encode() + b"\n")
        self._chunk(b"")

    def _break(self, path: str) -> None:
        self.close_connection = True
        if path == "/broken/chunk":
            self._headers("application/x-ndjson", chunked=True)
            self.wfile.write(b"20\r\n" + b'{"eval_count": 3')
        elif path == "/broken/length":
            self._headers("application/json", length=5000)
            self.wfile.write(b'{"eval_count": 3')
        elif path == "/broken/nonsense":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
        elif path == "/broken/lines":
            lines = [b"\xff{{{\n", b"x" * 3_000_000 + b"\n", json.dumps(NATIVE).encode()]
            self._stream(lines, "application/x-ndjson")
        else:  # as before HTTP/1.1: its end is the end of the connection
            self._headers("application/json", close=True)
            self.wfile.write(json.dumps(NATIVE).encode())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while length := int(self.rfile.readline(), 16):
            found += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _whole(self, body: bytes, kind: str = "application/json", status: int = 200) -> None:
        self._headers(kind, length=len(body), status=status)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self, pieces: list[bytes], kind: str) -> None:
        self._headers(kind, chunked=True)
        for piece in [*pieces, b""]:
            self._chunk(piece)

    def _chunk(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _headers(
        self,
        kind: str,
        *,
        length: int | None = None,
        chunked: bool = False,
        close: bool = False,
        status: int = 200,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("X-Kept", "yes")
        if length is not None:
            self.send_header("Content-Length", str(length))
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if close:
            self.send_header("Connection", "close")
        self.end_headers()


class Many(ThreadingHTTPServer):
    """Takes many at once: with the usual 5 waiting, the kernel drops some."""

    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        pass


@dataclass
class Pair:
    """The recorder, and Ollama behind it."""

    recorder: Recorder
    ollama: ThreadingHTTPServer

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.recorder.server_address[:2]
        return str(host), port

    @property
    def told(self) -> dict[str, dict[str, int]]:
        return self.recorder.counts.by_model

    @property
    def heard(self) -> list[Any]:
        found: list[Any] = self.ollama.heard  # type: ignore[attr-defined]
        return found


@contextlib.contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    ollama = Many(("127.0.0.1", 0), Ollama)
    ollama.heard = []  # type: ignore[attr-defined]
    ollama.go_on = threading.Event()  # type: ignore[attr-defined]
    before = Recorder(("127.0.0.1", 0), ("127.0.0.1", ollama.server_port), Counts())
    with serving(ollama), serving(before):
        yield Pair(before, ollama)


def ask(
    address: tuple[str, int], path: str, asked: Any = None, *, method: str = "POST", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    body = None if asked is None else json.dumps(asked).encode()
    with contextlib.closing(http.client.HTTPConnection(*address, timeout=20)) as connection:
        connection.request(method, path, body, headers)
        with connection.getresponse() as answer:
            return answer.status, answer.headers, answer.read()


def settled(pair: Pair, untold: int) -> bool:
    """The client has its answer a moment before it is counted."""
    until = time.monotonic() + 5
    while time.monotonic() < until and pair.recorder.counts.untold != untold:
        time.sleep(0.01)
    return pair.recorder.counts.untold == untold


def counted(pair: Pair, requests: int) -> dict[str, dict[str, int]]:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if sum(each["requests"] for each in pair.told.values()) >= requests:
            break
        time.sleep(0.01)
    return pair.told


@pytest.mark.parametrize(
    ("path", "asked", "told"),
    [
        ("/api/generate", {}, (26, None, 290)),
        ("/api/generate?x=1", {"stream": False}, (26, None, 290)),
        ("/api/chat", {}, (26, None, 290)),
        ("/api/chat", {"stream": False}, (26, None, 290)),
        ("/api/embed", {}, (8, None, None)),
        ("/v1/chat/completions", {}, (5, 4, 2)),
        ("/v1/chat/completions", {"stream": True, "stream_options": {}, "x": 1}, None),
        (
            "/v1/chat/completions",
            {"stream": True, "stream_options": {"include_usage": True}},
            (5, 4, 2),
        ),
        ("/v1/completions", {}, (5, 4, 2)),
        ("/v1/completions", {"stream": True}, None),
        ("/v1/embeddings", {}, (5, 4, 2)),
        ("/old", {}, (26, None, 290)),
        ("/broken/lines", {}, (26, None, 290)),
    ],
)
def test_each_route_passes_unchanged_and_is_counted(
    pair: Pair, path: str, asked: dict[str, Any], told: tuple[int | None, ...] | None
) -> None:
    direct = ask(("127.0.0.1", pair.ollama.server_port), path, asked)
    through = ask(pair.address, path, asked)

    assert through[0] == direct[0]
    assert through[2] == direct[2]
    assert (through[1]["Content-Type"], through[1]["X-Kept"]) == (direct[1]["Content-Type"], "yes")
    assert [body for _, _, body in pair.heard] == [json.dumps(asked).encode()] * 2
    if told is None:
        assert settled(pair, untold=1)
        assert pair.told == {}
        return
    [figures] = counted(pair, 1).values()
    names = ("prompt_computed_tokens", "prompt_cached_tokens", "generated_tokens")
    assert tuple(figures.get(name) for name in names) == told
    assert (figures["requests"], pair.recorder.counts.untold) == (1, 0)


def test_words_come_while_the_next_are_thought_of(pair: Pair) -> None:
    connection = http.client.HTTPConnection(*pair.address, timeout=20)
    connection.request("POST", "/slow", b"{}")
    answer = connection.getresponse()

    assert answer.readline() == b'{"response": "first"}\n'
    assert pair.told == {}
    pair.ollama.go_on.set()  # type: ignore[attr-defined]
    assert json.loads(answer.read()) == NATIVE
    assert counted(pair, 1)["qwen3:8b"]["generated_tokens"] == 290
    connection.close()


def test_a_connection_is_used_again_and_counts_add_up(pair: Pair) -> None:
    connection = http.client.HTTPConnection(*pair.address, timeout=20)
    for _ in range(5):
        connection.request("POST", "/api/chat", b"{}")
        connection.getresponse().read()
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"Ollama is running"
    connection.close()

    assert counted(pair, 5)["qwen3:8b"] == {
        "prompt_computed_tokens": 130,
        "generated_tokens": 1450,
        "requests": 5,
    }


def test_many_at_once_are_each_counted_once(pair: Pair) -> None:
    with ThreadPoolExecutor(24) as people:
        answers = list(people.map(lambda _: ask(pair.address, "/api/generate", {}), range(24)))

    assert {status for status, _, _ in answers} == {200}
    assert counted(pair, 24)["qwen3:8b"]["generated_tokens"] == 24 * 290


@pytest.mark.parametrize("path", ["/broken/chunk", "/broken/length"])
def test_what_breaks_off_breaks_off_for_the_client_too(pair: Pair, path: str) -> None:
    with pytest.raises(http.client.IncompleteRead):
        ask(pair.address, path, {})
    assert ask(pair.address, "/api/chat", {})[0] == 200
    assert counted(pair, 1)["qwen3:8b"]["requests"] == 1


def test_what_is_no_answer_is_told_as_502(pair: Pair) -> None:
    status, _, body = ask(pair.address, "/broken/nonsense", {})

    assert (status, "does not answer" in json.loads(body)["error"]) == (502, True)


def test_nobody_behind_it_is_502_and_untold(pair: Pair) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        before = Recorder(("127.0.0.1", 0), unused.getsockname(), Counts())
        with serving(before):
            status, _, _ = ask(("127.0.0.1", before.server_port), "/api/chat", {})

    assert (status, before.counts.untold) == (502, 1)


def test_refusals_and_other_routes_are_not_counted(pair: Pair) -> None:
    assert ask(pair.address, "/api/unknown", {})[0] == 404
    assert ask(pair.address, "/api/pull", {})[0] == 200
    assert ask(pair.address, "/", method="HEAD")[2] == b""
    assert ask(pair.address, "/api/delete", method="DELETE")[0] == 200
    assert (pair.told, pair.recorder.counts.untold) == ({}, 0)


def test_no_coding_is_asked_for_and_hops_are_not_passed_on(pair: Pair) -> None:
    headers = {"Accept-Encoding": "gzip", "Connection": "X-Mine", "X-Mine": "1", "X-Yours": "2"}
    ask(pair.address, "/api/chat", {}, **headers)

    [(_, heard, _)] = pair.heard
    assert heard["X-Yours"] == "2"
    assert heard["Host"] == f"127.0.0.1:{pair.address[1]}"
    assert not {"Accept-Encoding", "X-Mine"} & set(heard)


def raw(pair: Pair, text: bytes) -> bytes:
    with socket.create_connection(pair.address, timeout=20) as client:
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        found = b""
        while piece := client.recv(65536):
            found += piece
    return found


def test_a_chunked_request_is_passed_on(pair: Pair) -> None:
    head = b"POST /api/chat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = raw(pair, head + b'c;ext=1\r\n{"stream": f\r\n5\r\nalse}\r\n0\r\nTrailer: 1\r\n\r\n')

    assert answer.startswith(b"HTTP/1.1 200")
    assert [body for _, _, body in pair.heard] == [b'{"stream": false}']


def test_an_old_client_gets_no_chunks(pair: Pair) -> None:
    answer = raw(pair, b"POST /api/chat HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert json.loads(body.splitlines()[-1]) == NATIVE


@pytest.mark.parametrize(
    "request_text",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"Transfer-Encoding: gzip\r\n\r\n{}",
        b"Content-Length: +2\r\n\r\n{}",
        b"Content-Length: 20\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}zz",
        b"Transfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_request_that_two_could_read_in_two_ways_is_refused(
    pair: Pair, request_text: bytes
) -> None:
    answer = raw(pair, b"POST /api/chat HTTP/1.1\r\nHost: x\r\n" + request_text)

    assert answer.startswith(b"HTTP/1.1 400")
    assert pair.told == {}


def test_whoever_goes_away_costs_nobody_else(pair: Pair) -> None:
    for _ in range(recorder.MOST_AT_ONCE + 6):
        client = socket.create_connection(pair.address, timeout=20)
        client.sendall(b"POST /broken/lines HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        client.close()

    until = time.monotonic() + 20
    while ask(pair.address, "/", method="GET")[0] != 200 and time.monotonic() < until:
        time.sleep(0.05)
    assert ask(pair.address, "/", method="GET")[0] == 200


def test_beyond_what_it_holds_at_once_it_says_so(pair: Pair) -> None:
    for _ in range(recorder.MOST_AT_ONCE):
        pair.recorder.room.acquire()

    status, headers, _ = ask(pair.address, "/api/chat", {})

    assert (status, headers["Connection"]) == (503, "close")


def test_models_are_bounded_and_their_names_are_text() -> None:
    counts = Counts(born=5.0)
    for number in range(recorder.MOST_MODELS + 9):
        counts.add(Used(f'm{number}"\n\\', 1, None, 1))
    counts.add(Used("", None, None, 4))

    readings = {each.model: each for each in engines.read(counts.shown())}

    assert len(readings) == recorder.MOST_MODELS + 1
    assert readings['m0"\n\\'].generated == 1
    assert readings[recorder.OTHERS].generated == 9 + 4


def test_as_a_process_it_shows_metrics_and_stops_when_asked(pair: Pair) -> None:
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    listen, metrics = ports
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gpuaas_serve.recorder"),
            f"--listen=127.0.0.1:{listen}",
            f"--to=127.0.0.1:{pair.ollama.server_port}",
            f"--metrics=127.0.0.1:{metrics}",
        ],
        env=os.environ,
    )
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                ask(("127.0.0.1", listen), "/api/chat", {})
                break
            time.sleep(0.05)
        time.sleep(0.2)
        _, _, text = ask(("127.0.0.1", metrics), "/metrics", method="GET")
        [reading] = engines.read(text.decode())
        assert (reading.model, reading.prompt_computed, reading.generated) == ("qwen3:8b", 26, 290)
        assert reading.birth is not None
        assert ask(("127.0.0.1", metrics), "/else", method="GET")[0] == 404
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.parametrize("address", ["nowhere", "host:", "host:x"])
def test_an_address_has_a_port(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        recorder.main([f"--listen={address}", "--to=a:1", "--metrics=a:2"])
    assert "is no HOST:PORT" in capsys.readouterr().err
