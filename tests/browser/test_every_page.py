"""Every page that the matrix of permissions lists, in both themes, wide and narrow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from tests.browser.lab import WIDTHS, serious
from tests.permissions.table import Row, rows
from tests.permissions.world import World, build

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
]
# Each page is looked at by the first of these who may see it.
VISITORS: Final = ("platform admin", "member", "manager", "finance")
ADMIN_SITE: Final = ("admin:index", "admin:reservations_reservation_changelist")
# Answers that are no page: data, fragments of a page, files.
NO_PAGES: Final = {
    "portal:live",
    "portal:mine",
    "portal:activity",
    "portal:connect",
    "portal:cost_files",
    "portal:search",
    "portal:timeline_data",
    "portal:calendar",
    "portal:bell",
    "portal:cost_file",
}

THEME_SHOWN: Final = "(({theme, bsTheme}) => bsTheme || theme)(document.documentElement.dataset)"


def pages_of(visitor: str) -> list[Row]:
    """Return the pages that ``visitor`` looks at; a new address is one of somebody's."""
    return [
        row
        for row in rows()
        if row.method == "GET"
        and (row.name in ADMIN_SITE or row.name.startswith("portal:"))
        and row.name not in NO_PAGES
        and visitor == next((who for who in VISITORS if row.expected[who] == "ok"), None)
    ]


@pytest.fixture
def everything(orm_beside_the_browser: None, transactional_db: None) -> World:
    return build(timezone.now())


@pytest.fixture
def look(browser: Browser, live_server: LiveServer, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(base_url=live_server.url, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda message: (
            complaints.append(f"{page.url}: {message.text}") if message.type == "error" else None
        ),
    )
    yield page
    context.close()


@pytest.mark.parametrize("visitor", [who for who in VISITORS if pages_of(who)])
def test_every_page_is_accessible_narrow_enough_and_without_complaints(
    everything: World,
    live_server: LiveServer,
    look: Page,
    complaints: list[str],
    visitor: str,
    artefacts: Path,
) -> None:
    cookie = everything.cookies[visitor]
    wrong: list[str] = []
    look.goto("/accounts/login/")
    look.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    for theme in ("light", "dark"):
        for key in ("gpuaas-theme", "theme"):  # the portal's, and that of Django's admin site
            look.evaluate("([key, theme]) => localStorage.setItem(key, theme)", [key, theme])
        for row in pages_of(visitor):
            address = reverse(row.name, kwargs=everything.things[row.kind].ours)
            look.set_viewport_size({"width": WIDTHS[0], "height": 900})
            answer = look.goto(address)
            assert answer is not None
            if answer.status != 200 or "/login/" in look.url:
                wrong.append(f"{row.name}: {answer.status} {look.url}")
                continue
            if look.evaluate(THEME_SHOWN) != theme:
                wrong.append(f"{row.name}: is not {theme}")
            wrong += [f"{row.name} {theme}: {each}" for each in serious(look)]
            for width in WIDTHS:
                look.set_viewport_size({"width": width, "height": 900})
                name = row.name.replace(":", "-")
                look.screenshot(path=artefacts / f"{name}-{theme}-{width}.png")
                wide = look.evaluate("document.documentElement.scrollWidth")
                if wide > width:
                    wrong.append(f"{row.name} {theme}: {wide} px at {width} px")
    assert not wrong, "\n".join(wrong)
    assert complaints == []
