"""Finance's way through a month: at a glance, deeper, into a booking, and as a file."""

import random
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from gpuaas.accounts.models import Team
from tests import make
from tests.browser.lab import WIDTHS, Lab, serious
from tests.reports import months
from tests.reports.months import Month
from tests.reports.test_groups import with_cost_centre
from tokenomics.core.lines import LineKind
from tokenomics.models import CostPeriod

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(180),
]
TEAMS = (
    ("vision", "CC-4711 Risk analytics", ("Fine-tuning 言語モデル", "Evaluation of detectors")),
    ("speech", "CC-2040", ("Speech to text", "Voice cloning detection")),
    (
        "agents",
        "CC-2040",
        ("Multi-agent planner", "Tool-use regression suite", "Nightly evaluation"),
    ),
    (
        "forecasting-of-demand-in-all-regions",
        "CC-9000 Supply chain and forecasting of demand, all regions",
        ("Donaudampfschifffahrtsgesellschaftskapitänsprognosemodell, third attempt",),
    ),
)
MODELS = ("qwen2.5-7b-instruct", "llama-3.1-70b", "gpt-oss-120b")


@pytest.fixture
def finances(lab: Lab) -> Month:
    """A realistic October, and the two months before it."""
    by_chance = random.Random(7)  # noqa: S311 -- the same month every time
    for number, day in ((8, 0.7), (9, 0.85)):
        month = months.MONTH.replace(month=number)
        period = CostPeriod.objects.create(
            month=month,
            currency="EUR",
            time_zone="UTC",
            starts_at=months.STARTS.replace(month=number),
            ends_at=months.STARTS.replace(month=number + 1),
        )
        _fill(Month(period=period, pool=lab.pool), by_chance, scale=day)
    return _fill(Month(pool=lab.pool), by_chance, scale=1)


def _fill(month: Month, by_chance: random.Random, *, scale: float) -> Month:
    hour = 0
    for slug, code, purposes in TEAMS:
        team = Team.objects.filter(slug=slug).first() or make.team(slug=slug)
        team = with_cost_centre(team.slug, code[:40])
        people = [make.user(teams=[team], username=f"{name}-{slug}"[:30]) for name in ("ada", "bo")]
        for purpose in purposes:
            for person in people:
                hours = by_chance.randint(20, 90)
                cost = round(hours * scale * by_chance.randint(60, 140))
                booked = month.booked(
                    team=team,
                    user=person,
                    purpose=purpose,
                    used=round(cost * 0.7),
                    unused=cost - round(cost * 0.7),
                    hours=hours,
                    first_hour=hour,
                )
                hour += 5
                if month.period.month == months.MONTH and "Speech" not in purpose:
                    for model in by_chance.sample(MODELS, 2):
                        month.tell(
                            booked,
                            model,
                            computed=by_chance.randint(10, 900) * 10**6,
                            cached=by_chance.randint(1, 300) * 10**6,
                            generated=by_chance.randint(5, 200) * 10**6,
                        )
    idle = {"cost_centre": "PLATFORM", "pool": month.pool}
    month.line(LineKind.IDLE, round(90_000 * scale), hours=800, **idle)
    month.line(LineKind.STRANDED, 4_000, hours=40, **idle)
    month.line(LineKind.OUTAGE, 2_500, hours=20, **idle)
    return month.summed()


@pytest.fixture
def finn(desk: Page, client: Client, finances: Month) -> Page:
    """A page at which somebody of finance is signed in."""
    client.force_login(months.finance())
    cookie = client.cookies["sessionid"].value
    address = desk.context.cookies()[0]["domain"]
    desk.context.clear_cookies()
    desk.context.add_cookies(
        [{"name": "sessionid", "value": cookie, "domain": address, "path": "/"}]
    )
    return desk


def test_finance_goes_from_a_month_to_a_reading_and_takes_a_file_home(
    finn: Page, complaints: list[str]
) -> None:
    finn.goto("/costs/")
    expect(finn.get_by_role("heading", name="Costs", exact=True)).to_be_visible()
    expect(finn.locator("[data-chart=groups] svg")).to_be_visible()

    finn.get_by_test_id("by-team").click()
    finn.get_by_role("link", name="Vision").click()
    finn.get_by_test_id("by-reservation").click()
    finn.get_by_test_id("cost-row").first.get_by_role("link").click()
    expect(finn.get_by_role("heading", name="Meter readings")).to_be_visible()
    expect(finn.get_by_role("table").last).to_contain_text("lab")

    finn.goto("/costs/")
    with finn.expect_download() as arriving:
        finn.get_by_test_id("export-xlsx").click()
    assert arriving.value.suggested_filename == "costs-2026-10.xlsx"
    assert complaints == []


def test_the_keyboard_is_enough(finn: Page) -> None:
    finn.goto("/costs/")
    finn.get_by_test_id("by-model").focus()
    finn.keyboard.press("Enter")

    expect(finn.get_by_test_id("by-model")).to_have_attribute("aria-current", "true")
    finn.get_by_role("region", name="Costs by model").focus()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_is_wrong_and_nothing_is_wider_than_the_page(
    finn: Page, complaints: list[str], theme: str, artefacts: Path
) -> None:
    finn.add_init_script(f"localStorage.setItem('gpuaas-theme', '{theme}')")
    finn.goto("/costs/?by=reservation")
    booking = finn.get_by_test_id("cost-row").first.get_by_role("link").get_attribute("href")
    pages = (
        *(("costs", "/costs/"), ("costs-model", "/costs/?by=model"), ("cost-booking", booking)),
        ("cost-reconciliation", "/costs/2026-10/reconciliation/"),
        ("finance", "/costs/finance/"),
    )
    for name, path in pages:
        assert path
        for width in WIDTHS:
            finn.set_viewport_size({"width": width, "height": 900})
            finn.goto(path)
            finn.screenshot(path=artefacts / f"{name}-{theme}-{width}.png", full_page=True)
            assert finn.evaluate("document.documentElement.scrollWidth") <= width
        assert serious(finn) == []
    assert complaints == []
