"""A session's page: what its GPUs and models did, drawn under the strict policy, and the words."""

import math
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions.models import SessionState, WorkspaceSession
from tests import make
from tests.browser.lab import WIDTHS, Lab, serious
from tokenomics.core.ledger import Booking, GpuUsage, Usage
from tokenomics.services import usage

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(180),
]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def running(lab: Lab) -> Reservation:
    """A session of ada's that began three hours ago and is ready since."""
    now = timezone.now()
    made = make.reservation(
        of=make.pool(slug="small"),
        by=lab.team,
        requested_by=lab.ada,
        units=2,
        state=State.ACTIVE,
        at=Window(now - timedelta(hours=3), now + timedelta(hours=2)),
    )
    session = make.session(of=made, state=SessionState.READY)
    WorkspaceSession.objects.filter(pk=session.pk).update(ready_at=made.starts_at)
    return made


def work(made: Reservation) -> None:
    """Let it work for three hours, but for half an hour that nobody saw."""
    booking = Booking(made.pk, made.team_id, made.pool_id, made.starts_at, made.ends_at)
    tokens, gpus = [], []
    for minute in (each for each in range(175) if not 80 <= each < 110):
        started = made.starts_at + minute * MINUTE
        active = 0.45 + 0.35 * math.sin(minute / 17) + 0.1 * math.sin(minute / 3)
        gpus.append(
            GpuUsage(
                source="cluster/lab",
                event_id=str(minute),
                cluster_id=made.pool.cluster_id,
                node="n",
                gpu_uuid="GPU-1",
                instance="3",
                reservation_id=made.pk,
                started_at=started,
                ended_at=started + MINUTE,
                active_ms=round(60_000 * active),
                energy_mj=round(9_000_000 * (0.3 + active)),
            )
        )
        for model, share in (("qwen2.5-7b-instruct", 0.7), ("gpt-oss-20b 言語モデル", 0.3)):
            tokens.append(
                Usage(
                    source="cluster/lab",
                    event_id=f"{model}/{minute}",
                    booking=booking,
                    engine="vllm",
                    model=model,
                    started_at=started,
                    ended_at=started + MINUTE,
                    prompt_computed=round(40_000 * active * share),
                    prompt_cached=round(15_000 * active * share),
                    generated=round(18_000 * active * share),
                    is_reading=True,
                )
            )
    now = timezone.now()
    usage.record(tokens, now=now)
    usage.record_gpus(gpus, now=now)


def test_activity_is_drawn_in_both_themes_and_sizes(
    desk: Page, running: Reservation, artefacts: Path, complaints: list[str]
) -> None:
    work(running)

    for theme in ("light", "dark"):
        desk.emulate_media(color_scheme=theme)
        for width in WIDTHS:
            desk.set_viewport_size({"width": width, "height": 900})
            desk.goto(f"/reservations/{running.public_id}/")
            expect(desk.locator("[data-activity] svg")).to_have_count(2)
            expect(desk.get_by_test_id("activity")).to_contain_text("qwen2.5-7b-instruct")
            expect(desk.get_by_test_id("serve-line").first).to_contain_text("serve vllm")
            assert desk.evaluate("document.documentElement.scrollWidth <= innerWidth")
            path = artefacts / f"activity-{theme}-{width}.png"
            desk.screenshot(path=path, full_page=True)
        assert serious(desk) == []

    assert complaints == []


def test_before_anything_was_seen_it_says_so(
    desk: Page, running: Reservation, artefacts: Path, complaints: list[str]
) -> None:
    desk.goto(f"/reservations/{running.public_id}/")

    expect(desk.get_by_test_id("no-gpus")).to_be_visible()
    expect(desk.get_by_test_id("no-tokens")).to_be_visible()
    expect(desk.locator("[data-activity]")).to_have_count(0)
    desk.screenshot(path=artefacts / "activity-none.png", full_page=True)
    assert complaints == []
