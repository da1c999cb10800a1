"""Announcements over pages, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gpuaas.notifications.models import Level
from tests import make
from tests.browser.lab import WIDTHS, Lab, serious

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(120),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_an_announcement_stands_over_a_page_until_it_is_dismissed(
    desk: Page, lab: Lab, artefacts: Path, complaints: list[str], theme: str, width: int
) -> None:
    make.announcement(title="言語モデル: the network is slow until tomorrow", level=Level.WARNING)
    make.announcement(title="New: slices of 48 GB")
    desk.set_viewport_size({"width": width, "height": 900})
    desk.emulate_media(color_scheme="dark" if theme == "dark" else "light")

    desk.goto("/teams/")

    expect(desk.get_by_test_id("announcement")).to_have_count(2)
    desk.screenshot(path=artefacts / f"announcements-{theme}-{width}.png")
    assert serious(desk) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
    desk.get_by_role("button", name="Dismiss “New: slices of 48 GB”").click()
    expect(desk.get_by_test_id("announcement")).to_have_count(1)
    desk.goto(f"/teams/{lab.team.slug}/")
    expect(desk.get_by_test_id("announcement")).to_have_count(1)
    assert complaints == []
