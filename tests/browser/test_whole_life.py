"""A person logs in, books a slice, works in its workspace, and it is gone when it is over."""

import re

import pytest
from playwright.sync_api import Page, expect

from gpuaas import demo
from reconciler.cluster import client
from tests.cluster.waiting import eventually
from tests.onebox.product import Product

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SLICE = "nvidia.com/mig-1g.24gb"
WHOLE_GPU = "nvidia.com/gpu"
PROVISIONED_WITHIN = 60_000  # milliseconds: a tick, and the pod's own start
GONE_WITHIN = 60_000
OPENED_WITHIN = 15_000  # over the page that notes it


def log_in(page: Page, username: str) -> None:
    page.goto("/")
    page.get_by_test_id("login-form").locator("input[name=login]").fill(username)
    page.get_by_test_id("login-form").locator("input[name=password]").fill(demo.PASSWORD)
    page.get_by_test_id("login-submit").click()
    expect(page).to_have_title(re.compile("GPUaaS"))
    expect(page.get_by_test_id("user-menu").first).to_be_attached()


def book(page: Page, resource_name: str) -> None:
    page.goto("/book/")
    page.locator(f"[data-testid=type-card][data-type$='{resource_name}']").click()
    page.locator("#purpose").fill("a walk through")
    page.get_by_test_id("book-submit").click()


def state(page: Page, wanted: str, *, within: float = 10_000) -> None:
    badge = page.locator(f"[data-testid=state][data-state='{wanted}']").first
    expect(badge).to_be_visible(timeout=within)


def namespaces(product: Product) -> set[str]:
    """Return the namespaces of sessions in the product's cluster."""
    kube = client.connect(product.state.kubeconfig)
    try:
        labels = {"app.kubernetes.io/managed-by": "gpuaas"}
        return {each["metadata"]["name"] for each in kube.find("v1", "Namespace", labels=labels)}
    finally:
        kube.close()


def test_from_the_login_to_giving_back(page: Page, product: Product, complaints: list[str]) -> None:
    log_in(page, "ada")
    book(page, SLICE)
    state(page, "ACTIVE", within=PROVISIONED_WITHIN)

    link = page.get_by_test_id("workspace-link")
    expect(link).to_be_visible(timeout=PROVISIONED_WITHIN)
    before = namespaces(product)
    with page.expect_popup() as opened:
        link.click()
    expect(opened.value.get_by_role("heading")).to_have_text(
        "Your workspace is running", timeout=OPENED_WITHIN
    )
    [namespace] = [name for name in before if name in opened.value.url]

    page.get_by_test_id("give-back").click()
    page.get_by_test_id("confirm-give-back").click()
    state(page, "COMPLETED")
    eventually(lambda: namespace not in namespaces(product))
    opened.value.reload()
    expect(opened.value.get_by_role("heading")).to_have_text("No workspace")
    expect(page.get_by_test_id("live")).to_contain_text("gone", timeout=GONE_WITHIN)
    assert [each for each in complaints if "404" not in each] == []


def test_when_the_window_ends_the_workspace_goes_by_itself(page: Page, product: Product) -> None:
    log_in(page, "ada")
    book(page, WHOLE_GPU)
    expect(page.get_by_test_id("workspace-link")).to_be_visible(timeout=PROVISIONED_WITHIN)
    assert namespaces(product) != set()

    _let_the_windows_end(product)

    state(page, "COMPLETED", within=GONE_WITHIN)
    eventually(lambda: namespaces(product) == set())
    expect(page.get_by_test_id("workspace-link")).to_have_count(0)


def test_a_team_mate_sees_the_booking_and_a_stranger_has_to_log_in(page: Page) -> None:
    log_in(page, "ada")
    book(page, SLICE)
    expect(page.get_by_test_id("live")).to_be_visible()
    address = page.url
    page.context.clear_cookies()

    log_in(page, "mona")
    assert page.goto(address).status == 200  # type: ignore[union-attr]  # there is an answer
    page.context.clear_cookies()

    page.goto(address)
    assert "/accounts/login/" in page.url


def _let_the_windows_end(product: Product) -> None:
    """Move every running window into the past, as if its time had gone by."""
    with product.database() as connection:
        connection.execute(
            "UPDATE reservations_reservation"
            " SET starts_at = now() - (ends_at - starts_at), ends_at = now()"
            " WHERE state = 'ACTIVE'"
        )
