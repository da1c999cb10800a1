"""A simulated cluster for each module, asked with plain HTTP, as no client would hide things."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from simcluster import testing
from simcluster.testing import Simulator
from tests.cluster.waiting import eventually

DIRECT = urllib.request.ProxyHandler({})


@dataclass(slots=True)
class Answer:
    """What came back: the status, the headers, and the body if it was JSON."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Api:
    """Requests to one simulator as one user."""

    def __init__(self, url: str, token: str, certificate: str, *, user: str = "") -> None:
        context = ssl.create_default_context(cadata=certificate)
        self._opener = urllib.request.build_opener(
            DIRECT, urllib.request.HTTPSHandler(context=context)
        )
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        if user:
            self._headers["Impersonate-User"] = user

    def __call__(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> Answer:
        request = urllib.request.Request(  # noqa: S310 -- our own server
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={**self._headers, "Content-Type": content_type},
        )
        try:
            with self._opener.open(request, timeout=10) as response:
                return Answer(response.status, _parsed(response.read()), dict(response.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _parsed(error.read()), dict(error.headers))

    def lines(self, path: str) -> Iterator[Any]:
        """Yield each line of a stream as it arrives."""
        request = urllib.request.Request(self._url + path, headers=self._headers)  # noqa: S310
        with self._opener.open(request, timeout=10) as response:
            for line in response:
                yield json.loads(line)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode()


def api_of(simulator: Simulator, *, user: str = "", token: str | None = None) -> Api:
    secrets = simulator.server.cluster.secrets
    given = secrets["admin"] if token is None else token
    return Api(simulator.url, given, secrets["certificate"], user=user)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = testing.start(tmp_path_factory.mktemp("simcluster"))
    yield simulator
    simulator.stop()


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Api]:
    yield api_of(simulator)
    simulator.clear_faults()


@pytest.fixture
def namespace(api: Api, request: pytest.FixtureRequest) -> str:
    """Return a fresh namespace in which pods may be created."""
    name = f"n-{abs(hash(request.node.nodeid)):x}"
    api("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    eventually(lambda: api("GET", account).status == 200)
    return name
