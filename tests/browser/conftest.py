"""A whole product with its real beat, workers, database and cluster, and a real browser on it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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
