"""A workspace as its manifests say, run on this machine: tests are its kubelet and its router.

The product is real, and so are oauth2-proxy, code-server and the browser.  The cluster is
simulated: what its pod's containers would run is started here, in the environment they would have.
"""

import base64
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils import timezone
from playwright.sync_api import Browser, Page, WebSocket, sync_playwright
from pytest_django import Settings

from gpuaas.accounts.models import Team, User
from gpuaas.inventory import labels
from gpuaas.inventory import services as inventory
from gpuaas.inventory.models import Cluster, Exposure, Pool
from onebox.state import ROOT
from reconciler import cluster as port
from reconciler import cycle, naming
from reconciler.cluster import Ref, client
from reservations import services
from reservations.capacity import Window
from reservations.models import Reservation
from sessions.models import WorkspaceSession
from simcluster import testing
from tests import make
from tests.browser.conftest import CHROMIUM_OPTIONS, chromium
from tests.workspace import provider_urls, tools
from tests.workspace.tools import Tools

PATIENCE_SECONDS = 30


@dataclass(slots=True)
class Place:
    """The product, a cluster, and one booking of ada's with its workspace.

    ``heard`` are the addresses of WebSockets that said something to a browser.
    """

    row: Cluster
    pool: Pool
    kube: port.Cluster
    team: Team
    owner: User
    reservation: Reservation
    url: str = ""
    heard: list[str] = field(default_factory=list)
    ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def session(self) -> WorkspaceSession:
        return WorkspaceSession.objects.get(reservation=self.reservation)

    def reconcile(self) -> cycle.Report:
        return cycle.run(cluster=self.row, kube=self.kube, clock=timezone.now)

    def containers(self) -> dict[str, dict[str, str]]:
        """Return the environment of each container of the workspace's pod, by its name."""
        ref = Ref("apps/v1", "Deployment", naming.WORKSPACE, self.session.namespace)
        deployment = self.kube.get(ref)
        assert deployment is not None
        template = deployment["spec"]["template"]["spec"]
        return {
            each["name"]: dict(map(self._variable, each["env"])) for each in template["containers"]
        }

    def _variable(self, variable: Mapping[str, Any]) -> tuple[str, str]:
        if "value" in variable:
            return variable["name"], variable["value"]
        wanted = variable["valueFrom"]["secretKeyRef"]
        secret = self.kube.get(Ref("v1", "Secret", wanted["name"], self.session.namespace))
        assert secret is not None
        return variable["name"], base64.b64decode(secret["data"][wanted["key"]]).decode()


@pytest.fixture(scope="module")
def programs() -> Tools:
    return tools.required()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        # Within Playwright's loop Django takes synchronous database calls for a mistake.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_OPTIONS))
        yield browser
        browser.close()
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def visit(browser: Browser, place: Place) -> Iterator[Callable[[User], Page]]:
    """Yield what opens the workspace in a new browser and logs in at the portal on the way."""

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda _: place.heard.append(socket.url))

    with ExitStack() as contexts:

        def open_as(person: User) -> Page:
            context = contexts.enter_context(browser.new_context())
            page = context.new_page()
            page.set_default_timeout(PATIENCE_SECONDS * 1000)
            page.on("websocket", listen)
            page.goto(place.url)
            assert "/accounts/login/" in page.url, "nobody is let in without a login"
            page.locator("input[name=login]").fill(person.get_username())
            page.locator("input[name=password]").fill(make.PASSWORD)
            page.get_by_test_id("login-submit").click()
            page.wait_for_url(f"{place.url}**", wait_until="commit")
            return page

        yield open_as


@pytest.fixture
def place(
    programs: Tools,
    live_server: Any,
    settings: Settings,
    tmp_path: Path,
) -> Iterator[Place]:
    """Yield a place whose workspace is up, behind its door."""
    free = {name: _free_port() for name in ("door", "workspace")}
    _be_a_provider(settings, live_server.url, free["door"])
    simulator = testing.start(tmp_path, plain_http=True)
    kube = client.connect(simulator.kubeconfig)
    with ExitStack() as running:
        running.callback(simulator.stop)
        running.callback(kube.close)
        place = _booked(kube, free)
        place.reconcile()
        place.url = f"http://{place.session.namespace}.localhost:{free['door']}/"
        running.enter_context(_workspace(place, programs, tmp_path))
        running.enter_context(_door(place, programs, tmp_path))
        yield place


def _be_a_provider(settings: Settings, url: str, door: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    settings.IDP_OIDC_PRIVATE_KEY = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    settings.BASE_URL = url
    settings.ROOT_URLCONF = provider_urls.__name__
    directives = dict(settings.CONTENT_SECURITY_POLICY["DIRECTIVES"])
    directives["form-action"] = [*directives["form-action"], f"http://*.localhost:{door}"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives}


def _booked(kube: port.Cluster, free: Mapping[str, int]) -> Place:
    row = make.cluster(name="simcluster")
    row.exposure = Exposure.INGRESS
    row.workspace_url_template = f"http://{{namespace}}.localhost:{free['door']}/"
    row.full_clean()
    row.save()
    now = timezone.now()
    facts = [labels.facts_of(node) for node in kube.find("v1", "Node")]
    inventory.import_nodes(cluster=row, nodes=facts, actor=None, now=now)
    pool = inventory.ensure_default_pool(cluster=row)
    team = make.team()
    owner = make.user(teams=(team,), username="ada")
    reservation = services.admit(
        pool=pool,
        team=team,
        requested_by=owner,
        wish=make.wish(at=Window(now, now + timedelta(hours=1))),
        now=now,
    )
    return Place(row, pool, kube, team, owner, reservation, ports=free)


@contextmanager
def _workspace(place: Place, programs: Tools, folder: Path) -> Iterator[None]:
    """Run the image's entry point, as the pod's container would."""
    bin_folder, home = folder / "bin", folder / "home"
    bin_folder.mkdir()
    home.mkdir()
    shim = bin_folder / "code-server"
    shim.write_text(f'#!/bin/sh\nexec "{programs.node}" "{programs.code_server}" "$@"\n')
    shim.chmod(0o755)
    address = f"127.0.0.1:{place.ports['workspace']}"
    environment = place.containers()["workspace"]
    assert environment["WORKSPACE_ADDRESS"] == "127.0.0.1:8080"
    environment |= {
        "HOME": str(home),
        "WORKSPACE_ADDRESS": address,
        "PATH": f"{bin_folder}:/usr/bin:/bin",
    }
    command = [str(ROOT / "deploy" / "workspace" / "start")]
    with _running(command, environment, folder / "workspace.log"):
        _wait_for(f"http://{address}/healthz")
        yield


@contextmanager
def _door(place: Place, programs: Tools, folder: Path) -> Iterator[None]:
    """Run the door's container; it asks again each second, not each minute."""
    address = f"127.0.0.1:{place.ports['door']}"
    environment = place.containers()["door"] | {
        "OAUTH2_PROXY_HTTP_ADDRESS": address,
        "OAUTH2_PROXY_UPSTREAMS": f"http://127.0.0.1:{place.ports['workspace']}/",
        "OAUTH2_PROXY_COOKIE_REFRESH": "1s",
    }
    with _running([str(programs.oauth2_proxy)], environment, folder / "door.log"):
        _wait_for(f"http://{address}/ping")
        yield


@contextmanager
def _running(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(command, env=dict(environment), stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            sys.stderr.write(f"{log.name}:\n{log.read_text()[-6000:]}\n")


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 -- ours
                if answer.status == HTTPStatus.OK:
                    return
        except OSError:
            pass
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        found: int = listener.getsockname()[1]
        return found
