"""The start page and the booking form in a real browser, in both themes and two widths."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import WIDTHS, Lab, serious

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(120),
]


def test_two_clicks_book_what_is_free_for_two_hours(desk: Page, lab: Lab) -> None:
    desk.goto("/")

    desk.get_by_test_id("book-now").last.click()
    desk.get_by_test_id("book-submit").click()

    desk.wait_for_url("**/reservations/*/")
    expect(desk.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_is_wrong_and_nothing_is_wider_than_the_page(
    desk: Page, lab: Lab, complaints: list[str], theme: str, artefacts: Path
) -> None:
    desk.add_init_script(f"localStorage.setItem('gpuaas-theme', '{theme}')")
    address = f"/reservations/{lab.mine.public_id}/"
    for name, path in (("home", "/"), ("book", "/book/"), ("reservation", address)):
        for width in WIDTHS:
            desk.set_viewport_size({"width": width, "height": 900})
            desk.goto(path)
            desk.screenshot(path=artefacts / f"{name}-{theme}-{width}.png", full_page=True)
            assert desk.evaluate("document.documentElement.scrollWidth") <= width
        assert serious(desk) == []
    assert complaints == []
