"""What pages say when they cannot reach the portal, and what an empty installation shows."""

from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from gpuaas.accounts.models import OrganisationRole
from reservations.models import DeviceHold, Reservation
from tests import make
from tests.browser.lab import WIDTHS, Lab, serious

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(120),
]
BANNER = "[data-unreached]"


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("where", ["/book/", "/teams/", "/calendar/?as=table"])
def test_being_offline_is_said_and_taken_back(desk: Page, artefacts: Path, where: str) -> None:
    desk.goto(where)
    expect(desk.locator(BANNER)).to_be_hidden()

    desk.context.set_offline(True)

    expect(desk.locator(BANNER)).to_contain_text("You are offline")
    desk.screenshot(path=artefacts / f"offline-{where.strip('/?=').replace('/', '-')[:8]}.png")
    assert serious(desk) == []
    desk.context.set_offline(False)
    expect(desk.locator(BANNER)).to_be_hidden()


@pytest.mark.usefixtures("lab")
def test_a_portal_that_does_not_answer_is_asked_again_and_nothing_typed_is_lost(
    desk: Page,
) -> None:
    desk.goto("/book/")
    expect(desk.get_by_test_id("estimate-cost")).to_be_visible()
    desk.route("**/book/estimate/", lambda route: route.abort())
    desk.route("**/healthz", lambda route: route.fulfill(status=503))

    desk.locator("#purpose").fill("Evaluation")

    expect(desk.locator(BANNER)).to_contain_text("does not answer")
    desk.get_by_role("button", name="Try again").click()
    expect(desk.locator(BANNER)).to_be_visible()
    desk.unroute("**/healthz")
    desk.get_by_role("button", name="Try again").click()
    expect(desk.locator(BANNER)).to_be_hidden()
    expect(desk.locator("#purpose")).to_have_value("Evaluation")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_an_empty_installation_shows_the_way(
    desk: Page, lab: Lab, artefacts: Path, complaints: list[str], theme: str, width: int
) -> None:
    DeviceHold.objects.all().delete()
    Reservation.objects.filter(pool=lab.pool).delete()
    desk.goto("/")
    root = Client()
    root.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN, username="root"))
    url, session = desk.evaluate("location.origin"), root.cookies["sessionid"].value
    desk.context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
    desk.set_viewport_size({"width": width, "height": 900})
    desk.emulate_media(color_scheme="dark" if theme == "dark" else "light")

    desk.goto("/")

    expect(desk.get_by_test_id("first-step")).to_have_count(5)
    desk.screenshot(path=artefacts / f"first-run-{theme}-{width}.png")
    assert serious(desk) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
