"""The palette and the search in a real browser, by the keyboard."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import WIDTHS, Lab, serious

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(120),
]


@pytest.mark.usefixtures("lab")
def test_the_keyboard_alone_leads_anywhere(desk: Page, complaints: list[str]) -> None:
    desk.goto("/teams/")
    desk.keyboard.press("Control+k")
    expect(desk.locator("#palette-input")).to_be_focused()
    expect(desk.locator("[data-found]").first).to_be_visible()

    desk.keyboard.type("fine-tun")
    expect(desk.get_by_test_id("palette-found")).to_contain_text("Fine-tuning 言語モデル")
    desk.keyboard.press("ArrowDown")
    expect(desk.locator("[data-found]").first).to_be_focused()
    desk.keyboard.press("Enter")

    expect(desk).to_have_url(re.compile("/reservations/.+"))
    desk.keyboard.press("Control+k")
    desk.keyboard.press("Escape")
    expect(desk.locator("#palette")).to_be_hidden()
    assert complaints == []


@pytest.mark.usefixtures("lab")
def test_a_slash_goes_to_the_search_and_typing_one_does_not(desk: Page) -> None:
    desk.goto("/")
    desk.keyboard.press("/")
    expect(desk.get_by_test_id("search")).to_be_focused()
    desk.keyboard.type("a/b")
    expect(desk.get_by_test_id("search")).to_have_value("a/b")
    desk.keyboard.press("Enter")
    expect(desk).to_have_url(re.compile(r"/search/\?q=a%2Fb"))
    expect(desk.get_by_test_id("found")).to_contain_text("Nothing is called")

    desk.set_viewport_size({"width": 390, "height": 900})
    desk.goto("/")
    desk.keyboard.press("/")
    expect(desk.locator("#palette-input")).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_accessible_and_fits(
    desk: Page, lab: Lab, artefacts: Path, complaints: list[str], theme: str, width: int
) -> None:
    desk.set_viewport_size({"width": width, "height": 900})
    desk.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    desk.goto(f"/search/?q={lab.team.name}")
    expect(desk.get_by_test_id("found")).to_be_visible()
    assert serious(desk) == []
    desk.screenshot(path=artefacts / f"search-{theme}-{width}.png")

    desk.keyboard.press("Control+k")
    expect(desk.locator("#palette [data-found]").first).to_be_visible()

    desk.screenshot(path=artefacts / f"palette-{theme}-{width}.png")
    assert serious(desk) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
