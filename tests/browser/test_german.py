"""German pages with long and CJK names: nothing breaks, in both themes, at the desk and by hand."""

from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from gpuaas.accounts import services
from gpuaas.accounts.models import Team
from tests.browser.lab import WIDTHS, Lab

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(240),
]
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsprognosen für 大規模言語モデル研究開発部門"


def test_long_names_and_german_fit(desk: Page, lab: Lab, artefacts: Path) -> None:
    Team.objects.filter(pk=lab.team.pk).update(name=LONG)
    services.change_profile(
        person=lab.ada, look=services.Look(language="de", time_zone="Asia/Tokyo")
    )
    pages = {
        "home": reverse("portal:home"),
        "calendar": reverse("portal:timeline"),
        "booking": reverse("portal:book"),
        "session": reverse("portal:reservation", args=[lab.mine.public_id]),
        "team": reverse("portal:team", args=[lab.team.slug]),
        "costs": reverse("portal:costs"),
        "profile": reverse("portal:profile"),
    }

    wide = []
    for theme in ("light", "dark"):
        desk.emulate_media(color_scheme=theme)
        for width in WIDTHS:
            desk.set_viewport_size({"width": width, "height": 900})
            for name, address in pages.items():
                desk.goto(address)
                expect(desk.locator("html")).to_have_attribute("lang", "de")
                if not desk.evaluate("document.documentElement.scrollWidth <= innerWidth"):
                    wide.append((name, width))
                desk.screenshot(path=artefacts / f"german-{name}-{theme}-{width}.png")
    assert wide == []


def test_moments_are_in_the_zone_of_the_profile_and_go_back_as_they_came(
    desk: Page, lab: Lab
) -> None:
    services.change_profile(
        person=lab.ada, look=services.Look(language="de", time_zone="Asia/Tokyo")
    )

    desk.goto(reverse("portal:reservation", args=[lab.mine.public_id]))

    moment = desk.locator(f'time[data-form=full][datetime^="{lab.noon:%Y-%m-%dT%H:%M}"]').first
    expect(moment).to_contain_text("21:00")  # noon in UTC; the browser is in UTC too
    assert "12:00 UTC" in (moment.get_attribute("title") or "")
    desk.goto(reverse("portal:change", args=[lab.mine.public_id]))
    shown = desk.locator("input[type=datetime-local]").last
    carried = desk.locator("input[type=datetime-local] + input[type=hidden]").last
    assert shown.input_value().endswith("T01:00")  # its end, 16:00 UTC
    assert "T16:00" in carried.input_value()
