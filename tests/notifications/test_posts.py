"""Webhooks: signed, once, and never to where they must not go."""

import hashlib
import hmac
import json
import re
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from gpuaas.notifications import posts
from gpuaas.notifications.failures import NotDelivered
from gpuaas.notifications.wording import Text
from tests import make
from tests.notifications import receivers

BODY = b'{"text": "hello"}'


@pytest.fixture
def on_loopback(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOW_PRIVATE = True


def send(url: str, body: bytes = BODY) -> None:
    posts.send(url=url, secret="s3cret", number=7, body=body, at=make.NOON)  # noqa: S106


def test_what_arrives_is_signed(on_loopback: None) -> None:
    with receivers.web_server(receivers.status(204)) as (url, asked):
        send(url)

    [(path, headers, body)] = asked
    timestamp = str(int(make.NOON.timestamp()))
    expected = hmac.new(b"s3cret", f"{timestamp}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert (path, body) == ("/hook?x=1", BODY)
    assert headers["X-GPUaaS-Timestamp"] == timestamp
    assert headers["X-GPUaaS-Signature"] == f"v1={expected}"
    assert headers["X-GPUaaS-Delivery"] == "7"


def test_the_receiver_of_the_documentation_knows_ours_from_forged_ones(on_loopback: None) -> None:
    page = (Path(__file__).parents[2] / "docs/design/notifications.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    written: dict[str, Any] = {}
    exec(code, written)  # noqa: S102 -- our own page
    with receivers.web_server(receivers.status(204)) as (url, asked):
        send(url)
    [(_, headers, body)] = asked
    sent_at = make.NOON.timestamp()

    def is_genuine(body: bytes = body, secret: str = "s3cret", now: float = sent_at) -> bool:  # noqa: S107
        return bool(written["is_genuine"](headers, body, secret, now=now))

    assert is_genuine(now=sent_at + 60)
    assert not is_genuine(body=body + b" ")
    assert not is_genuine(secret="another")  # noqa: S106
    assert not is_genuine(now=sent_at + 301)


def test_the_text_cannot_call_a_whole_channel() -> None:
    text = Text(title="Failed: <!channel> & co", body="<https://evil|click>", path="/x/")

    said = json.loads(
        posts.body_of(text, event="e", key="k", at=make.NOON, base_url="https://gpu.example/")
    )

    assert said["text"] == (
        "*Failed: &lt;!channel&gt; &amp; co*\n&lt;https://evil|click&gt;\n"
        "<https://gpu.example/x/|Open>"
    )
    assert (said["title"], said["id"]) == (text.title, "k")


def test_slack_gets_blocks_that_it_takes() -> None:
    text = Text(title="Failed: <!here>", body="x" * 4_000, path="/x/")

    said = json.loads(
        posts.body_of(text, event="e", key="k", at=make.NOON, base_url="https://gpu.example/")
    )

    section, context = said["blocks"]
    assert section["text"]["text"].startswith("*Failed: &lt;!here&gt;*\nxxx")
    assert len(section["text"]["text"]) == 3_000
    assert context["elements"] == [{"type": "mrkdwn", "text": "<https://gpu.example/x/|Open>"}]


@pytest.mark.parametrize(
    ("code", "is_final"),
    [
        *((code, True) for code in (302, 307, 400, 404, 410)),
        *((code, False) for code in (408, 425, 429, 500, 503)),
    ],
)
def test_what_is_not_taken_is_tried_again_only_if_that_can_help(
    on_loopback: None, code: int, *, is_final: bool
) -> None:
    with (
        receivers.web_server(receivers.status(code)) as (url, _),
        pytest.raises(NotDelivered) as refused,
    ):
        send(url)

    assert (str(refused.value), refused.value.is_final) == (
        f"answered with status {code}",
        is_final,
    )


def test_a_redirect_is_not_followed(on_loopback: None) -> None:
    with receivers.web_server(receivers.status(200)) as (secret_place, asked):
        redirect = receivers.status(307, Location=secret_place)
        with receivers.web_server(redirect) as (url, _), pytest.raises(NotDelivered):
            send(url)

    assert asked == []


@pytest.mark.parametrize("answer", [receivers.huge, receivers.not_text])
def test_of_an_answer_only_the_status_is_read(
    on_loopback: None, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    with receivers.web_server(answer) as (url, asked):
        send(url)

    assert len(asked) == 1


@pytest.mark.parametrize("answer", [receivers.dripping, receivers.silent, receivers.garbage])
def test_bad_manners_end_in_time(
    on_loopback: None,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[BaseHTTPRequestHandler], None],
) -> None:
    monkeypatch.setattr(posts, "TIMEOUT_SECONDS", 1)
    began = time.monotonic()

    with receivers.web_server(answer) as (url, _), pytest.raises(NotDelivered) as refused:
        send(url)

    assert not refused.value.is_final
    assert time.monotonic() - began < 10


def test_nobody_listening_is_tried_again(on_loopback: None) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    with pytest.raises(NotDelivered) as refused:
        send(f"http://127.0.0.1:{port}/")

    assert not refused.value.is_final


def test_https_to_who_speaks_none_fails(on_loopback: None) -> None:
    with (
        receivers.web_server(receivers.status(200)) as (url, asked),
        pytest.raises(NotDelivered),
    ):
        send(url.replace("http:", "https:"))

    assert asked == []


def test_a_message_too_large_is_not_sent(on_loopback: None) -> None:
    with pytest.raises(NotDelivered, match="too large"):
        send("http://127.0.0.1/", b"x" * (posts.LARGEST_BODY_BYTES + 1))


# --- where it must not go ------------------------------------------------------------------------

INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "[::1]",
    "[fc00::1]",
    "[::ffff:10.0.0.1]",
]
NEVER = [
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104 -- nobody listens there
    "224.0.0.1",
    "255.255.255.255",
    "[fe80::1]",
    "[::]",
    "[ff02::1]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
]


@pytest.mark.parametrize("host", INSIDE + NEVER)
def test_an_address_inside_is_refused(host: str) -> None:
    with pytest.raises(posts.AddressRefused, match="must not reach"):
        posts.checked(f"https://{host}/")


@pytest.mark.parametrize("host", INSIDE)
def test_unless_the_installation_allows_it(on_loopback: None, host: str) -> None:
    assert posts.checked(f"http://{host}/")


@pytest.mark.parametrize("host", NEVER)
def test_some_addresses_are_never_asked(on_loopback: None, host: str) -> None:
    with pytest.raises(posts.AddressRefused):
        posts.checked(f"http://{host}/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost"])
def test_other_spellings_are_found_out_when_resolved(settings: Any, host: str) -> None:
    settings.WEBHOOK_ALLOW_HTTP = True
    with pytest.raises(posts.AddressRefused):
        send(f"http://{host}:1/")


def test_one_bad_address_of_a_name_spoils_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> list[Any]:
        return [(2, 1, 6, "", (address, 443)) for address in ("93.184.215.14", "10.0.0.1")]

    monkeypatch.setattr("gpuaas.notifications.posts.socket.getaddrinfo", resolve)
    with pytest.raises(posts.AddressRefused):
        send("https://rebinding.example.com/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https://",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nX: y",
        "https://[::1",
        "https://hööks.example.com/",
    ],
)
def test_what_is_no_address_of_ours_is_refused(url: str) -> None:
    with pytest.raises(posts.AddressRefused):
        posts.checked(url)
