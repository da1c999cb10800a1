"""A booking in trouble in the portal: the banner, the badges, the exchange."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gpuaas.accounts.models import MembershipRole, Team, User
from gpuaas.inventory.models import Device, DeviceState
from reservations import services
from reservations.capacity import Window
from reservations.models import Reservation
from tests import make
from tests.portal import at_hours
from tests.portal.conftest import Book

pytestmark = pytest.mark.django_db


@pytest.fixture
def booked(book: Book) -> Reservation:
    booked = book(1, 3, units=4)
    Device.objects.filter(pk=booked.holds.first().device_id).update(  # type: ignore[union-attr]
        state=DeviceState.FAILED
    )
    services.heal(pool=booked.pool, now=timezone.now())
    return booked


def page(browser: Client, booked: Reservation) -> str:
    return browser.get(reverse("portal:reservation", args=[booked.public_id])).content.decode()


def test_its_page_says_so_and_has_offers(browser: Client, booked: Reservation) -> None:
    shown = page(browser, booked)

    assert "This booking is in trouble" in shown
    assert "MIG slice 1g.24gb #" in shown
    assert 'data-testid="accept-offer"' in shown
    assert "In trouble: " in shown


@pytest.mark.parametrize("name", ["portal:home", "portal:reservations"])
def test_lists_have_a_badge(browser: Client, booked: Reservation, name: str) -> None:
    assert 'data-testid="in-trouble"' in browser.get(reverse(name)).content.decode()


def test_an_offer_is_taken(browser: Client, booked: Reservation) -> None:
    (offer,) = services.offers_for(reservation=booked, now=timezone.now())
    address = reverse("portal:accept_offer", args=[booked.public_id])

    response = browser.post(address, {"offer": offer.number}, follow=True)

    booked.refresh_from_db()
    assert booked.state == "CANCELED"
    assert "Exchanged. This is your new booking." in response.content.decode()
    assert Reservation.objects.get(state="APPROVED").resource_name == make.GPU


def test_an_offer_that_is_gone_is_said(browser: Client, booked: Reservation) -> None:
    address = reverse("portal:accept_offer", args=[booked.public_id])

    response = browser.post(address, {"offer": "gone"}, follow=True)

    assert "this offer is gone" in response.content.decode()
    booked.refresh_from_db()
    assert booked.state == "APPROVED"


def test_a_viewer_sees_it_and_takes_nothing(
    client: Client, booked: Reservation, team: Team
) -> None:
    client.force_login(make.user(teams=[team], role=MembershipRole.VIEWER))
    address = reverse("portal:accept_offer", args=[booked.public_id])

    assert 'data-testid="accept-offer"' not in page(client, booked)
    assert client.post(address, {"offer": "x"}).status_code == 404


def test_what_is_due_waits_for_its_hardware(browser: Client, team: Team, member: User) -> None:
    now = timezone.now()
    booked = make.reservation(
        of=make.pool(devices={make.SLICE: 1}),
        by=team,
        requested_by=member,
        at=Window(at_hours(now, -1), at_hours(now, 3)),
    )
    Device.objects.filter(pk=booked.holds.get().device_id).update(state=DeviceState.FAILED)
    services.heal(pool=booked.pool, now=timezone.now())

    assert "Waiting for its hardware" in page(browser, booked)
