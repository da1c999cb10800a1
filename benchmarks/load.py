"""A small HTTP load driver: so many connections, each sends its next request after the answer.

One thread and no parsing beyond the length of the answer, so that it takes little of the machine
that it measures.
"""

import selectors
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CONTENT_LENGTH = b"content-length:"
KEPT = 3  # answers that were not expected, to show


@dataclass(slots=True)
class Result:
    """Latencies in milliseconds of what was answered, and how often each status was."""

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    other: list[bytes] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.latencies_ms) / self.seconds

    def percentile_ms(self, share: float) -> float:
        return percentile(self.latencies_ms, share)


def percentile(values: list[float], share: float) -> float:
    """Return the value that ``share`` of ``values`` do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


class _Connection:
    def __init__(self, address: tuple[str, int], number: int) -> None:
        self.number = number
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.answer = b""

    def send(self, request: bytes) -> None:
        self.answer = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def is_complete(self) -> bool:
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end:
            return False
        at = head.lower().find(CONTENT_LENGTH)
        if at < 0:
            return True
        value = head[at + len(CONTENT_LENGTH) :].split(b"\r\n", 1)[0]
        return len(body) >= int(value)

    @property
    def status(self) -> int:
        return int(self.answer[9:12])


def drive(
    url: str,
    *,
    connections: int,
    seconds: float,
    request: Callable[[int], bytes],
    expected: frozenset[int],
) -> Result:
    """Keep ``connections`` busy for ``seconds``; ``request(number)`` is a connection's next."""
    where = urlsplit(url)
    address = (where.hostname or "127.0.0.1", where.port or 80)
    result, watch = Result(), selectors.DefaultSelector()
    all_of_them = [_Connection(address, number) for number in range(connections)]
    began = time.perf_counter()
    for each in all_of_them:
        watch.register(each.socket, selectors.EVENT_READ, each)
        each.send(request(each.number))
    busy = connections
    while busy:
        is_over = time.perf_counter() - began >= seconds
        for key, _ in watch.select(timeout=30):
            each = key.data
            received = each.socket.recv(65536)
            each.answer += received
            if not received:
                raise ConnectionError(f"the server hung up: {each.answer!r}")
            if not each.is_complete():
                continue
            result.latencies_ms.append((time.perf_counter() - each.sent_at) * 1000)
            result.statuses[each.status] = result.statuses.get(each.status, 0) + 1
            if each.status not in expected and len(result.other) < KEPT:
                result.other.append(each.answer[:600])
            if is_over:
                watch.unregister(each.socket)
                each.socket.close()
                busy -= 1
            else:
                each.send(request(each.number))
    result.seconds = time.perf_counter() - began
    return result


def http(method: str, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return one request as it goes over the wire."""
    where = urlsplit(url)
    lines = [
        f"{method} {where.path} HTTP/1.1",
        f"Host: {where.netloc}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
