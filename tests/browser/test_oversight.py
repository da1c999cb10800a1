"""The pages of those who answer for teams and for the platform, looked at in a real browser."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from gpuaas.accounts.models import MembershipRole, OrganisationRole, User
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation, TeamRules
from sessions.models import ClusterWatch, PassRecord
from tests import make
from tests.browser.lab import WIDTHS, Lab, serious
from tokenomics.models import GpuHour

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(120),
]


def sign_in(page: Page, person: User) -> None:
    client = Client()
    client.force_login(person)
    page.context.clear_cookies()
    url = page.evaluate("location.origin")
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": url}])


@pytest.fixture
def lived_in(lab: Lab) -> Lab:
    """A team with a budget, whose month has bookings and GPU telemetry."""
    make.price(of=lab.pool, resource_name=make.SLICE, minor=150)
    TeamRules.objects.create(team=lab.team, budget_minor=20_000, currency="EUR")
    booked = lab.book(lab.ada, 5, 15, "Training a very long name of a model, in several steps")
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for n in range(3):
        GpuHour.objects.create(
            cluster=lab.pool.cluster,
            reservation=booked,
            gpu_uuid="GPU-1",
            hour=hour - timedelta(hours=n),
            charged_month=hour.date().replace(day=1),
            seen_ms=3_600_000,
            active_seen_ms=3_600_000,
            active_ms=2_000_000,
        )
    return lab


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_manager_sees_the_team_s_month(
    desk: Page, lived_in: Lab, artefacts: Path, complaints: list[str], theme: str, width: int
) -> None:
    desk.goto("/")
    sign_in(desk, make.user(teams=[lived_in.team], role=MembershipRole.MANAGER, username="mona"))
    desk.set_viewport_size({"width": width, "height": 900})
    desk.emulate_media(color_scheme="dark" if theme == "dark" else "light")

    desk.goto(f"/teams/{lived_in.team.slug}/")

    expect(desk.locator("[data-drawing=budget] svg")).to_be_visible()
    expect(desk.get_by_test_id("team-month")).to_contain_text("56 %")
    desk.screenshot(path=artefacts / f"team-{theme}-{width}.png", full_page=True)
    assert serious(desk) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_an_administrator_sees_the_fleet(
    desk: Page, lived_in: Lab, artefacts: Path, complaints: list[str], theme: str, width: int
) -> None:
    now = timezone.now()
    failed = make.reservation(
        of=lived_in.pool, state=State.FAILED, at=Window(now - timedelta(hours=1), now)
    )
    Reservation.objects.filter(pk=failed.pk).update(
        state_reason="the image x cannot be pulled", state_changed_at=now
    )
    ClusterWatch.objects.create(
        cluster=lived_in.pool.cluster, since=now - timedelta(hours=1), until=now
    )
    PassRecord.objects.create(
        cluster=lived_in.pool.cluster, passes=2880, seconds=900, answers={"list 200": 9000}
    )
    desk.goto("/")
    sign_in(desk, make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN, username="root"))
    desk.set_viewport_size({"width": width, "height": 900})
    desk.emulate_media(color_scheme="dark" if theme == "dark" else "light")

    desk.goto("/fleet/")

    expect(desk.get_by_test_id("failures")).to_contain_text("An image could not be pulled")
    expect(desk.get_by_test_id("fleet-node").first).to_be_visible()
    desk.screenshot(path=artefacts / f"fleet-{theme}-{width}.png", full_page=True)
    assert serious(desk) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_what_ends_for_good_is_asked_about_with_what_it_means(
    desk: Page, lived_in: Lab, artefacts: Path, complaints: list[str], width: int
) -> None:
    desk.goto("/")
    sign_in(desk, make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN, username="root"))
    desk.set_viewport_size({"width": width, "height": 900})
    desk.goto("/inventory/")
    closure = desk.get_by_test_id("closure")
    expect(closure.get_by_role("button", name="Open it again")).to_be_hidden()

    closure.locator("summary").focus()
    desk.keyboard.press("Enter")

    expect(closure).to_contain_text("can be booked again at once")
    desk.screenshot(path=artefacts / f"sure-{width}.png")
    assert serious(desk) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
    closure.get_by_role("button", name="Open it again").click()
    expect(closure).to_have_count(0)
    assert lived_in.pool.closures.filter(canceled_at=None).count() == 0
    assert complaints == []
