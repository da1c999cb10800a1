"""The calendar in a real browser: what it shows, dragging, the keyboard, accessibility, width."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from reservations.capacity import Window
from reservations.models import Reservation
from tests import make
from tests.browser.lab import WIDTHS, Lab, serious
from tests.make import SLICE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(120),
]


def shown(page: Page, query: str = "") -> Page:
    page.goto(f"/calendar/{query}")
    page.wait_for_selector("[data-ready]")
    return page


def bar(page: Page, reservation: Reservation) -> Locator:
    return page.locator(f"[data-reservation='{reservation.public_id}']")


def window_of(reservation: Reservation) -> Window:
    return Reservation.objects.get(pk=reservation.pk).window


def drag(page: Page, over: Locator, *, by: float, from_right_edge: bool = False) -> None:
    """Drag ``over`` by that many pixels."""
    box = over.bounding_box()
    assert box is not None
    x = box["x"] + (box["width"] - 2 if from_right_edge else box["width"] / 2)
    y = box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 6):
        page.mouse.move(x + by * step / 5, y)
    page.mouse.up()


def hour_width(page: Page) -> float:
    box = page.locator(".ec-day").first.bounding_box()
    assert box is not None
    return box["width"] / 24


def tomorrow(lab: Lab) -> str:
    return f"?view=day&day={lab.noon:%Y-%m-%d}"


def test_others_are_taken_time_and_nothing_more(desk: Page, lab: Lab) -> None:
    shown(desk)

    expect(bar(desk, lab.mine)).to_be_visible()
    expect(desk.locator(".ec-event.is-others").first).to_have_text("Booked")
    assert "secret" not in desk.content()
    expect(desk.locator(".ec-event.is-closed").first).to_be_visible()
    expect(desk.locator(".ec-now-indicator").first).to_be_attached()
    expect(desk.locator("[data-zone-name]")).to_have_text("Times in UTC")
    desk.get_by_label("Others'").uncheck()
    expect(desk.locator(".ec-event.is-others")).to_have_count(0)


def test_dragging_moves_one_s_own_and_undo_moves_it_back(desk: Page, lab: Lab) -> None:
    was = window_of(lab.mine)
    shown(desk, tomorrow(lab))

    drag(desk, bar(desk, lab.mine), by=2 * hour_width(desk))

    expect(desk.locator("[data-status]")).to_contain_text("Changed")
    assert window_of(lab.mine).starts_at == was.starts_at + timedelta(hours=2)
    desk.get_by_role("button", name="Undo").click()
    expect(desk.locator("[data-status]")).to_have_text("It is as it was.")
    assert window_of(lab.mine) == was


def test_its_right_edge_changes_the_end(desk: Page, lab: Lab) -> None:
    was = window_of(lab.mine)
    shown(desk, tomorrow(lab))

    drag(desk, bar(desk, lab.mine), by=hour_width(desk), from_right_edge=True)

    expect(desk.locator("[data-status]")).to_contain_text("Changed")
    assert window_of(lab.mine) == Window(was.starts_at, was.ends_at + timedelta(hours=1))


def test_what_is_refused_says_why_and_stays_where_it_was(desk: Page, lab: Lab) -> None:
    was = window_of(lab.mine)
    make.closure(of=lab.pool, at=Window(lab.at(5), lab.at(10)))
    shown(desk, tomorrow(lab))

    drag(desk, bar(desk, lab.mine), by=3 * hour_width(desk))

    expect(desk.locator("[data-status].is-bad")).to_contain_text(
        "There is no room for this in that window. MIG slice 1g.24gb: you asked for 1, 0 free"
    )
    assert window_of(lab.mine) == was


def test_dragging_over_a_free_row_leads_to_the_form_with_that_window(desk: Page, lab: Lab) -> None:
    shown(desk, tomorrow(lab))
    row = desk.locator(".ec-slots .ec-day, .ec-grid .ec-day").last
    box = row.bounding_box()
    assert box is not None
    hour = box["width"] / 24
    y = box["y"] + box["height"] - 6
    desk.mouse.move(box["x"] + 14.1 * hour, y)
    desk.mouse.down()
    for step in range(1, 6):
        desk.mouse.move(box["x"] + (14.1 + step * 0.57) * hour, y)
    desk.mouse.up()

    desk.wait_for_url("**/book/?**")
    expect(desk.locator("input[name=type]:checked")).to_have_value(f"lab/{SLICE}")
    expect(desk.locator("#starts_at")).to_have_value(f"{lab.noon:%Y-%m-%d}T14:00")
    expect(desk.locator("#ends_at")).to_have_value(f"{lab.noon:%Y-%m-%d}T17:00")


def test_the_keyboard_moves_resizes_and_opens(desk: Page, lab: Lab) -> None:
    shown(desk, tomorrow(lab))
    mine = bar(desk, lab.mine)
    mine.focus()

    desk.keyboard.press("Shift+ArrowRight")
    expect(mine).to_have_attribute("aria-label", re.compile("12:30 .* 16:30"))
    expect(mine).to_be_focused()
    desk.keyboard.press("Control+Shift+ArrowRight")
    expect(mine).to_have_attribute("aria-label", re.compile("12:30 .* 17:00"))
    expect(mine).to_be_focused()
    assert window_of(lab.mine) == Window(lab.at(0.5), lab.at(5))
    mine.press("Enter")
    desk.wait_for_url(f"**/reservations/{lab.mine.public_id}/")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_is_wrong_and_nothing_is_wider_than_the_page(
    desk: Page, lab: Lab, complaints: list[str], theme: str, artefacts: Path
) -> None:
    desk.add_init_script(f"localStorage.setItem('gpuaas-theme', '{theme}')")
    for name, query in (("timeline", ""), ("table", "?as=table")):
        for width in WIDTHS:
            desk.set_viewport_size({"width": width, "height": 900})
            desk.goto(f"/calendar/{query}")
            if name == "timeline":
                desk.wait_for_selector("[data-ready]")
            desk.screenshot(path=artefacts / f"calendar-{name}-{theme}-{width}.png", full_page=True)
            assert desk.evaluate("document.documentElement.scrollWidth") <= width
        assert desk.locator("html").get_attribute("data-bs-theme") == theme
        assert serious(desk) == []
    assert complaints == []


def test_without_javascript_the_table_says_the_same(
    browser: Browser, desk: Page, lab: Lab, live_server: LiveServer
) -> None:
    context = browser.new_context(
        base_url=live_server.url,
        java_script_enabled=False,
        storage_state=desk.context.storage_state(),
    )
    page = context.new_page()
    page.goto("/calendar/")
    page.get_by_role("link", name="The table").click()
    table = page.get_by_test_id("bookings-table")
    expect(table).to_contain_text("Fine-tuning 言語モデル")
    expect(table).to_contain_text("new firmware")
    assert "secret" not in page.content()
    expect(page.get_by_test_id("free-table")).to_contain_text("3 of 4")

    page.get_by_label("How long").select_option("72")
    page.get_by_role("button", name="First that fits").click()
    expect(page.get_by_test_id("fits")).to_contain_text("The first window that fits")
    page.get_by_role("link", name="Book this window").click()
    expect(page.locator("#starts_at")).not_to_have_value("")
    context.close()
