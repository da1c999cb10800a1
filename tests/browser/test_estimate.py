"""Cost and free windows while the booking form is filled in, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from reservations.models import Reservation, TeamRules
from tests import make
from tests.browser.lab import WIDTHS, Lab, serious

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(120),
]


@pytest.fixture
def priced(lab: Lab) -> Lab:
    make.price(of=lab.pool, resource_name=make.GPU, minor=400)
    TeamRules.objects.create(team=lab.team, budget_minor=100_000, currency="EUR")
    return lab


def opened(page: Page) -> Page:
    page.goto("/book/")
    page.locator(f"[data-testid='type-card'][data-type$='{make.GPU}']").click()
    expect(page.get_by_test_id("estimate-cost")).to_have_text(re.compile(r"1[56]\.\d\d EUR"))
    return page


def test_the_cost_follows_what_is_typed(desk: Page, priced: Lab) -> None:
    opened(desk)

    desk.get_by_text("2 h", exact=True).click()

    expect(desk.get_by_test_id("estimate-cost")).to_have_text(re.compile(r"(7\.9\d|8\.00) EUR"))
    expect(desk.get_by_test_id("estimate")).to_contain_text(re.compile(r"992\.\d\d EUR left"))
    expect(desk.get_by_test_id("look")).to_have_count(0)
    assert not Reservation.objects.filter(resource_name=make.GPU, team=priced.team).exists()


def test_a_free_window_is_chosen_by_the_keyboard_and_booked(
    desk: Page, priced: Lab, complaints: list[str]
) -> None:
    """The whole GPU is taken, and then closed: 28 hours fit after that."""
    opened(desk)
    desk.get_by_text("Until …", exact=True).click()
    desk.locator("#ends_at").fill(f"{priced.at(12):%Y-%m-%dT%H:%M}")
    expect(desk.get_by_test_id("estimate-full")).to_be_visible()
    chip = desk.get_by_test_id("window-chip").first

    chip.focus()
    desk.keyboard.press("Enter")

    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(chip).to_be_focused()
    expect(desk.get_by_test_id("estimate-free")).to_be_visible()
    desk.get_by_test_id("book-submit").click()
    expect(desk.get_by_test_id("happening")).to_be_visible()
    made = Reservation.objects.get(resource_name=make.GPU, team=priced.team)
    assert made.starts_at == priced.at(54)
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.usefixtures("priced")
def test_it_is_accessible_and_fits(
    desk: Page, artefacts: Path, complaints: list[str], theme: str, width: int
) -> None:
    desk.set_viewport_size({"width": width, "height": 900})
    desk.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    opened(desk)
    expect(desk.get_by_test_id("window-chip").first).to_be_visible()

    desk.screenshot(path=artefacts / f"estimate-{theme}-{width}.png", full_page=True)

    assert serious(desk) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
