"""A whole product with its real beat, workers, database and cluster, and a real browser on it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.browser.lab import Lab
from tests.onebox.product import Product

CHROMIUM_OPTIONS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
)
TICK_SECONDS = "5"


def chromium() -> str:
    """Return the path of the browser; without one skip, and where one is promised (CI) fail."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    reason = "no Chromium on this machine: install the package chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class QuickProduct(Product):
    """One whose beat ticks every few seconds, so that tests need not wait for half a minute."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "GPUAAS_RECONCILE_INTERVAL_SECONDS": TICK_SECONDS}


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    home = Path(tempfile.mkdtemp(prefix="gpuaas-browser-"))
    home.chmod(0o755)
    product = QuickProduct(home / "local")
    product.start()
    try:
        yield product
    finally:
        product.stop()
        product.reset()
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """Collect what the browser complains of: errors of scripts, refusals of the policy."""
    return []


@pytest.fixture
def page(browser: Browser, product: Product, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{product.port}", viewport={"width": 1400, "height": 1000}
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield page
    context.close()


# --- pages without a cluster: the web tier alone, in this process --------------------------------


@pytest.fixture(scope="module")
def orm_beside_the_browser() -> Iterator[None]:
    """Let this thread ask the database, though the browser's driver runs an event loop in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture
def lab(orm_beside_the_browser: None, transactional_db: None) -> Lab:
    return Lab()


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where screenshots are kept: GPUAAS_SCREENSHOTS, or else with pytest's other files."""
    named = os.environ.get("GPUAAS_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def desk(
    browser: Browser, live_server: LiveServer, client: Client, lab: Lab, complaints: list[str]
) -> Iterator[Page]:
    """A page at which ada of the lab is signed in."""
    client.force_login(lab.ada)
    context = browser.new_context(
        base_url=live_server.url,
        viewport={"width": 1440, "height": 900},
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    session = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield page
    context.close()
