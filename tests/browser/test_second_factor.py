"""A second factor from set-up to login: an app that counts, and a key that Chromium plays."""

import re
import time

import pytest
from allauth.mfa.totp.internal import auth as totp
from playwright.sync_api import Page, expect

from gpuaas import demo
from tests.onebox.product import Product

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def here(page: Page, product: Product) -> str:
    """Yield the product's address by name: keys belong to names, never to IP addresses."""
    return f"http://localhost:{product.port}"


def log_in(page: Page, here: str, username: str) -> None:
    page.goto(f"{here}/accounts/login/")
    page.locator("input[name=login]").fill(username)
    page.locator("input[name=password]").fill(demo.PASSWORD)
    page.get_by_test_id("login-submit").click()


def log_out(page: Page, here: str) -> None:
    page.goto(f"{here}/accounts/logout/")
    page.get_by_role("button", name="Log out").last.click()
    expect(page.get_by_test_id("login-form")).to_be_visible()


def say_the_password_again(page: Page) -> None:
    page.locator("input[name=password]").fill(demo.PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def type_code(page: Page, secret: str) -> None:
    code = totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30))
    page.locator("input[name=code]").fill(str(code))


def test_an_authenticator_app(page: Page, here: str, complaints: list[str]) -> None:
    log_in(page, here, "ada")
    page.get_by_test_id("user-menu").first.click()
    page.get_by_test_id("security").first.click()
    expect(page.get_by_test_id("no-second-factor")).to_be_visible()
    page.get_by_test_id("totp-on").click()
    say_the_password_again(page)
    qr_code = page.locator("img.qr-code")
    assert qr_code.evaluate("image => image.naturalWidth") > 0
    secret = page.locator("#authenticator_secret").input_value()
    type_code(page, secret)
    page.get_by_role("button", name="Activate").click()
    expect(page.locator("#recovery_codes")).to_have_value(re.compile(r"^\d{8}"))
    log_out(page, here)

    log_in(page, here, "ada")
    expect(page).to_have_url(re.compile("/accounts/2fa/authenticate/"))
    codes = page.locator("input[name=code]")
    time.sleep(30 - time.time() % 30)  # each code works once
    codes.fill("")
    type_code(page, secret)
    page.get_by_role("button", name="Sign In").click()

    expect(page.get_by_test_id("user-menu").first).to_be_attached()
    assert complaints == []


def test_a_passkey(page: Page, here: str, complaints: list[str]) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    log_in(page, here, "mona")
    page.goto(f"{here}/accounts/2fa/webauthn/add/")
    say_the_password_again(page)
    page.locator("input[name=name]").fill("Telephone")
    page.locator("input[name=passwordless]").check()
    page.locator("#mfa_webauthn_add").click()
    expect(page.locator("#recovery_codes")).to_be_visible()
    log_out(page, here)

    page.get_by_test_id("passkey-login").click()

    expect(page.get_by_test_id("user-menu").first).to_be_attached()
    page.goto(f"{here}/accounts/2fa/webauthn/")
    expect(page.get_by_text("Telephone")).to_be_visible()
    assert complaints == []
