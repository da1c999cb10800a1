"""The door of a workspace: who comes in through oauth2-proxy and the portal's login, and who not.

Everything is real but the cluster: `make workspace-tools` installs what runs here.
"""

import http.client
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from allauth.idp.oidc.models import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from gpuaas.accounts.models import User
from reservations import services as reservations
from sessions import services
from tests import make
from tests.workspace.conftest import PATIENCE_SECONDS, Place

pytestmark = [
    pytest.mark.workspace,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.django_db(transaction=True),
]


def test_the_owner_gets_vs_code_with_its_web_sockets(
    place: Place, visit: Callable[[User], Page]
) -> None:
    page = visit(place.owner)

    _is_in(page)
    assert any(url.startswith("ws://s-") for url in place.heard), place.heard
    assert page.url.startswith(place.url)
    assert _upgrade(place, _cookies(page)) == 101


def test_somebody_of_another_team_is_refused_web_sockets_included(
    place: Place, visit: Callable[[User], Page]
) -> None:
    page = visit(make.user(teams=(make.team(slug="language"),), username="eve"))

    assert page.goto(place.url).status == 403  # type: ignore[union-attr]
    assert page.locator(".monaco-workbench").count() == 0
    assert _upgrade(place, _cookies(page)) != 101
    assert _upgrade(place, "") != 101


def test_a_team_mate_comes_in_while_the_owner_shares_it(
    place: Place, visit: Callable[[User], Page]
) -> None:
    mate = make.user(teams=(place.team,), username="tom")
    assert visit(mate).goto(place.url).status == 403  # type: ignore[union-attr]

    services.share(reservation=place.reservation, name="tom", actor=place.owner, now=timezone.now())
    page = visit(mate)
    _is_in(page)
    assert _upgrade(place, _cookies(page)) == 101

    services.unshare(
        reservation=place.reservation, person=mate, actor=place.owner, now=timezone.now()
    )
    _eventually_refused(page, place)
    assert _upgrade(place, _cookies(page)) != 101


def test_when_the_booking_ends_nobody_comes_in_any_more(
    place: Place, visit: Callable[[User], Page]
) -> None:
    page = visit(place.owner)
    _is_in(page)

    place.reservation.refresh_from_db()
    reservations.give_back(reservation=place.reservation, actor=place.owner, now=timezone.now())
    _eventually_refused(page, place)
    assert _upgrade(place, _cookies(page)) != 101
    clients = Client.objects.filter(pk=f"workspace-{place.session.public_id}")
    assert clients.exists()

    place.reconcile()
    assert place.session.state == "ENDED"
    assert not clients.exists()


def _is_in(page: Page) -> None:
    workbench = page.locator(".monaco-workbench")
    expect(workbench).to_be_visible(timeout=PATIENCE_SECONDS * 1000)


def _eventually_refused(page: Page, place: Place) -> None:
    """Ask for the workspace until the door has asked the portal again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = page.goto(place.url)
        assert answer is not None
        if answer.status >= 400:
            return
        assert time.monotonic() < deadline, "still let in"
        time.sleep(0.5)


def _cookies(page: Page) -> str:
    return "; ".join(f"{each['name']}={each['value']}" for each in page.context.cookies(page.url))


def _upgrade(place: Place, cookies: str) -> int:
    """Ask for a WebSocket as a program would; return the status."""
    url = urlsplit(place.url)
    connection = http.client.HTTPConnection("127.0.0.1", url.port or 80, timeout=10)
    headers = {
        "Host": url.netloc,
        "Origin": place.url.rstrip("/"),
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Cookie": cookies,
    }
    try:
        connection.request("GET", "/?reconnectionToken=a&reconnection=false", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
