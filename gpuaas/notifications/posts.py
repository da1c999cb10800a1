"""A message as an HTTP POST to an address that a user gave: signed, and never where it must not go.

The name is resolved once, every address it has is checked, and the connection goes to one of
those: a name that answers differently a moment later leads nowhere else.  Redirects are not
followed, proxies of the environment are not used, and nothing of the answer is read but its
status.
"""

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import threading
from datetime import datetime
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from gpuaas.notifications.failures import NotDelivered
from gpuaas.notifications.wording import Text

TIMEOUT_SECONDS: Final = 10
LARGEST_BODY_BYTES: Final = 16 * 1024
LONGEST_OF_A_BLOCK: Final = 3_000  # characters; Slack refuses a message with a longer one
_PORTS: Final = {"https": 443, "http": 80}
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_IPv4 = ipaddress.IPv4Address
_IPv6 = ipaddress.IPv6Address
_EMBEDDED_IPV4: Final = tuple(
    ipaddress.IPv6Network(net)
    for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)


class AddressRefused(NotDelivered):
    """The address is not one we send to."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, is_final=True)


def checked(url: str) -> SplitResult:
    """Return the parts of ``url`` if its form is one that we send to; this asks no name server.

    Raises:
        AddressRefused: it is not; the message says why, for people.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("this is no address") from error
    schemes = ("https", "http") if settings.WEBHOOK_ALLOW_HTTP else ("https",)
    if parts.scheme not in schemes or not parts.hostname:
        raise AddressRefused(f"the address has to start with {' or '.join(schemes)}://")
    if parts.username or parts.password:
        raise AddressRefused("the address must not contain a password")
    if port == 0 or not url.isascii() or any(sign.isspace() for sign in url):
        raise AddressRefused("this is no address")
    try:
        literal = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return parts
    _check(literal)
    return parts


def body_of(text: Text, *, event: str, key: str, at: datetime, base_url: str) -> bytes:
    """Return the JSON to send.

    Slack shows ``blocks``, its like ``text``, in which marks are escaped.
    """
    link = base_url.rstrip("/") + text.path
    spoken = f"*{_plain(text.title)}*\n{_plain(text.body)}"
    content = {
        "text": f"{spoken}\n<{link}|Open>",
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": spoken[:LONGEST_OF_A_BLOCK]}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": f"<{link}|Open>"}]},
        ],
        "event": event,
        "id": key,
        "title": text.title,
        "body": text.body,
        "link": link,
        "at": at.isoformat(),
    }
    return json.dumps(content).encode()


def signature(*, secret: str, timestamp: int, body: bytes) -> str:
    """Return ``v1=`` and the HMAC-SHA256 of ``<timestamp>.<body>``, in hexadecimal digits."""
    signed = f"{timestamp}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def send(*, url: str, secret: str, number: int, body: bytes, at: datetime) -> None:
    """Post ``body``; it has arrived when the answer is 2xx.

    Raises:
        NotDelivered: it has not; final if the address is refused or the answer says never.
    """
    if len(body) > LARGEST_BODY_BYTES:
        raise NotDelivered("the message is too large to be sent", is_final=True)
    parts = checked(url)
    timestamp = int(at.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GPUaaS",
        "X-GPUaaS-Delivery": str(number),
        "X-GPUaaS-Timestamp": str(timestamp),
        "X-GPUaaS-Signature": signature(secret=secret, timestamp=timestamp, body=body),
    }
    try:
        status = _post(parts, body, headers)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}") from error
    if 200 <= status < 300:  # noqa: PLR2004 -- HTTP's classes
        return
    is_final = 300 <= status < 500 and status not in _TRY_AGAIN  # noqa: PLR2004
    raise NotDelivered(f"answered with status {status}", is_final=is_final)


def _post(parts: SplitResult, body: bytes, headers: dict[str, str]) -> int:
    connection = _connected(parts)
    sock = connection.sock

    def hang_up() -> None:
        sock.shutdown(socket.SHUT_RDWR)

    # The socket's own time-out starts anew with each byte; this one does not.
    watchdog = threading.Timer(TIMEOUT_SECONDS, hang_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body=body, headers=headers)
        return connection.getresponse().status
    finally:
        watchdog.cancel()
        connection.close()


def _connected(parts: SplitResult) -> http.client.HTTPConnection:
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    sock = socket.create_connection((_address_of(host, port), port), timeout=TIMEOUT_SECONDS)
    if parts.scheme == "https":
        try:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
        connection.default_port = _PORTS["https"]
    connection.sock = sock
    return connection


def _address_of(host: str, port: int) -> str:
    """Return an address of ``host``; one that must not be asked spoils all of them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    for address in addresses:
        _check(address)
    return str(addresses[0])


def _check(address: "_IPv4 | _IPv6") -> None:
    """Refuse addresses inside the company, unless they are allowed, and odd ones in any case."""
    plain = address.ipv4_mapped if isinstance(address, _IPv6) else None
    target = plain or address
    odd = (
        target.is_link_local  # where clouds answer with credentials
        or target.is_multicast
        or target.is_unspecified
        or (target.is_reserved and not target.is_loopback)
        or any(isinstance(target, _IPv6) and target in net for net in _EMBEDDED_IPV4)
    )
    if odd or not (target.is_global or settings.WEBHOOK_ALLOW_PRIVATE):
        raise AddressRefused("the address leads to a network that webhooks must not reach")


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
