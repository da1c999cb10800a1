"""Asking the REST API.  Whatever comes back, it ends in JSON of the API's form or in a `Trouble`.

A request is sent again only where that cannot do anything twice: one that reads, or one with an
``Idempotency-Key``.
"""

import json
import random
import ssl
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from gpuaas_cli import VERSION
from gpuaas_cli.logins import Login
from gpuaas_cli.trouble import NotLoggedIn, Refused, Unreachable

TRIES: Final = 4
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
MOST_BYTES: Final = 16 * 1024 * 1024
PASSING: Final = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
Json = dict[str, Any]


class Api:
    """The API of one server, as one person.

    ``timeout_seconds`` is the longest silence; TLS trusts what the machine trusts, so a company's
    own authority counts where it is installed.
    """

    def __init__(self, login: Login, *, timeout_seconds: float = 30.0) -> None:
        self.url: Final = login.url
        try:
            self._client: Final = self._connected(login, timeout_seconds)
        except (httpx.InvalidURL, ValueError) as error:
            raise Unreachable(f"{login.url}: {error}", code="unreachable") from error

    @staticmethod
    def _connected(login: Login, timeout_seconds: float) -> httpx.Client:
        return httpx.Client(
            base_url=f"{login.url}/api/v1/",
            headers={
                "Authorization": f"Bearer {login.token}",
                "Accept": "application/json",
                "User-Agent": f"gpuaas-cli/{VERSION}",
            },
            timeout=httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds)),
            verify=ssl.create_default_context(),
        )

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Json:
        """Return what is at ``path``."""
        return self._ask("GET", path, params=params)

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        version: int | None = None,
    ) -> Json:
        """Send ``body``; with an idempotency ``key`` again, if the answer is lost.

        With a ``version`` nothing is done where the thing is another by now.
        """
        headers = {"Idempotency-Key": key} if key else {}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return self._ask("POST", path, body=body or {}, headers=headers, tries=TRIES if key else 1)

    def rows(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[Json]:
        """Yield the rows of a list, page by page, as long as somebody wants more."""
        page = self.get(path, params)
        while True:
            yield from _objects(page.get("results"), path)
            address = page.get("next")
            if not address:
                return
            page = self.get(self._own(address))

    def _own(self, address: object) -> str:
        """Return the next page's address; the token is shown to no other server."""
        parts, own = urlsplit(str(address)), urlsplit(self.url)
        if parts.hostname != own.hostname or not parts.path.startswith("/"):
            raise _strange(self.url, f"its list goes on at {address}")
        # The host that we asked, whatever a proxy made of the address.
        return f"{own.scheme}://{own.netloc}{parts.path}?{parts.query}"

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int = TRIES,
    ) -> Json:
        request = self._client.build_request(
            method, path, params=params, json=body, headers=headers
        )
        for tried in range(1, tries + 1):
            try:
                response, content = self._send(request)
            except httpx.RequestError as error:
                if tried == tries or not _is_passing(error):
                    raise _unreachable(self.url, error) from error
                _pause(tried, None)
                continue
            if tried < tries and response.status_code in PASSING:
                _pause(tried, response.headers.get("Retry-After"))
                continue
            return self._read(response, content)
        raise AssertionError  # pragma: no cover -- the last try returns or raises

    def _send(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        response = self._client.send(request, stream=True)
        try:
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    raise _strange(self.url, f"its answer is larger than {MOST_BYTES:,} bytes")
            return response, bytes(content)
        finally:
            response.close()

    def _read(self, response: httpx.Response, content: bytes) -> Json:
        status = response.status_code
        if response.is_redirect:
            raise _strange(self.url, f"it sends us to {response.headers.get('Location')}")
        if status == HTTPStatus.NO_CONTENT:
            return {}
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            kind = response.headers.get("Content-Type", "").partition(";")[0] or "no type"
            raise _strange(self.url, f"status {status} with {kind} instead of JSON") from None
        if not isinstance(body, dict):
            raise _strange(self.url, f"status {status} with a JSON {type(body).__name__}")
        if response.is_success:
            return body
        raise self._trouble(status, body)

    def _trouble(self, status: int, body: Json) -> NotLoggedIn | Refused | Unreachable:
        code, message = str(body.get("code", status)), str(body.get("message", ""))
        if not message:
            return _strange(self.url, f"status {status} without a message")
        if status == HTTPStatus.UNAUTHORIZED:
            hint = f"{message} Run `gpuaas login`."
            return NotLoggedIn(hint, code=code, body=body)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING:
            return Unreachable(f"{self.url}: {message}", code=code, body=body)
        return Refused(message, code=code, body=body)


def pause(seconds: float) -> None:
    """Wait before the next try."""
    time.sleep(seconds)


def _pause(tried: int, wished: str | None) -> None:
    seconds = FIRST_PAUSE_SECONDS * 2 ** (tried - 1)
    if wished and wished.isdigit():
        seconds = max(seconds, float(wished[:6]))
    # Not all of a crowd at the same instant.
    pause(min(seconds, LONGEST_PAUSE_SECONDS) * random.uniform(0.8, 1.2))  # noqa: S311 -- no secret


def _is_passing(error: httpx.RequestError) -> bool:
    """Return whether another try may help: not where the address or the certificate is wrong."""
    return isinstance(error, httpx.TransportError) and not (
        isinstance(error, httpx.UnsupportedProtocol) or "CERTIFICATE" in str(error)
    )


def _objects(rows: object, path: str) -> list[Json]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreachable(f"{path}: this is no list of the API", code="strange_answer")
    return rows


def _unreachable(url: str, error: httpx.RequestError) -> Unreachable:
    reason = "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error)
    return Unreachable(f"{url}: {reason or type(error).__name__}", code="unreachable")


def _strange(url: str, what: str) -> Unreachable:
    return Unreachable(f"{url} does not answer like GPUaaS: {what}", code="strange_answer")
