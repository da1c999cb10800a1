"""The card of a booking's page from which its owner gets a kubeconfig with a token."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from django.utils import timezone
from playwright.sync_api import Page, expect

from gpuaas.inventory.models import Cluster
from reservations.capacity import Window
from reservations.lifecycle import State
from sessions import services
from sessions.models import ClusterToken, SessionState
from tests import make
from tests.browser.lab import WIDTHS, Lab, serious

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(180),
]


def test_a_kubeconfig_is_asked_for_made_and_downloaded_once(
    lab: Lab, desk: Page, complaints: list[str], artefacts: Path
) -> None:
    now = timezone.now()
    booking = make.reservation(
        of=make.pool(slug="small"),
        by=lab.team,
        requested_by=lab.ada,
        state=State.ACTIVE,
        at=Window(now - timedelta(hours=1), now + timedelta(hours=2)),
    )
    session = make.session(of=booking, state=SessionState.READY)
    Cluster.objects.update(api_url="https://api.lab.example.com:6443")
    desk.goto(f"/reservations/{booking.public_id}/")

    desk.get_by_test_id("ask-token").click()
    expect(desk.get_by_test_id("token-state")).to_contain_text("half a minute at most")
    token = ClusterToken.objects.get()
    services.record_token(
        token=token, text="made-up", expires_at=booking.ends_at, now=timezone.now()
    )
    button = desk.get_by_test_id("take-token")
    expect(button).to_be_visible()
    for width in WIDTHS:
        desk.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            desk.emulate_media(color_scheme=scheme)
            desk.get_by_test_id("connect").scroll_into_view_if_needed()
            desk.screenshot(path=artefacts / f"connect-{width}-{scheme}.png")
            assert serious(desk) == []
    with desk.expect_download() as downloading:
        button.click()

    download = downloading.value
    assert download.suggested_filename == f"{session.namespace}.kubeconfig"
    content = yaml.safe_load(Path(download.path()).read_text())
    assert content["users"][0]["user"] == {"token": "made-up"}
    expect(desk.get_by_test_id("token-state")).to_contain_text(
        "The last one works until", timeout=20_000
    )
    assert desk.get_by_test_id("take-token").count() == 0
    assert complaints == []
