"""A booking in trouble in the portal: the banner, the badges, the exchange."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.inventory.models import Device, DeviceState
from reservations import services
from reservations.capacity import Window
from reservations.models import BookingFlag, Reservation
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


# --- administrators ----------------------------------------------------------------------------


@pytest.fixture
def root(client: Client) -> Client:
    client = Client()
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    return client


def held_by(booked: Reservation) -> Device:
    return Device.objects.filter(pk__in=booked.holds.values("device")).earliest("pk")


def fail_in_portal(root: Client, device: Device) -> None:
    address = reverse("portal:device_state", args=[device.pk])
    root.post(address, {"state": "failed", "reason": "ECC errors"})


def fail_over_rest(root: Client, device: Device) -> None:
    root.patch(
        f"/api/v1/inventory/devices/{device.pk}/",
        {"state": "failed", "reason": "ECC errors"},
        content_type="application/json",
    )


def fail_in_admin(root: Client, device: Device) -> None:
    root.post(
        reverse("admin:inventory_device_changelist"),
        {"action": "put_failed", "reason": "ECC errors", "_selected_action": [device.pk]},
    )


def close_pool(root: Client, device: Device) -> None:
    inputs = {"kind": "maintenance", "reason": "new fans", "target": "pool:lab"}
    now = timezone.now()
    at = {"starts_at": at_hours(now, 0.5).isoformat(), "ends_at": at_hours(now, 9).isoformat()}
    root.post(reverse("portal:close"), {**inputs, **at})


@pytest.mark.parametrize(
    "change", [fail_in_portal, fail_over_rest, fail_in_admin, close_pool], ids=lambda f: f.__name__
)
def test_bookings_are_flagged_with_the_change_not_at_the_next_tick(
    root: Client, book: Book, change: Callable[[Client, Device], None]
) -> None:
    booked = book(1, 3, units=4)

    change(root, held_by(booked))

    flag = BookingFlag.objects.get(reservation=booked, resolved_at=None)
    inventory = root.get(reverse("portal:hardware")).content.decode()
    listed = root.get(reverse("admin:reservations_bookingflag_changelist")).content.decode()
    assert "Bookings in trouble" in inventory
    assert reverse("portal:reservation", args=[booked.public_id]) in inventory
    assert reverse("portal:reservation", args=[booked.public_id]) in listed
    assert flag.get_cause_display() in listed


def test_what_is_well_again_is_told_with_the_change_too(root: Client, booked: Reservation) -> None:
    device = Device.objects.get(state=DeviceState.FAILED)
    action = {"action": "put_in_service", "_selected_action": [device.pk]}

    root.post(reverse("admin:inventory_device_changelist"), action)

    assert not BookingFlag.objects.filter(resolved_at=None).exists()
    assert "Bookings in trouble" not in root.get(reverse("portal:hardware")).content.decode()


def test_a_device_that_goes_without_a_reason_stays(root: Client, book: Book) -> None:
    device = held_by(book(1, 3))
    action = {"action": "put_retired", "_selected_action": [device.pk]}

    page = root.post(reverse("admin:inventory_device_changelist"), action, follow=True)

    assert "say why it goes out of service" in page.content.decode()
    device.refresh_from_db()
    assert device.state == DeviceState.IN_SERVICE


def test_a_manager_sees_flags_of_the_own_team_only(
    client: Client, booked: Reservation, team: Team
) -> None:
    counts = []
    for of in (team, make.team()):
        client.force_login(make.user(teams=[of], role=MembershipRole.MANAGER))
        answer = client.get(reverse("admin:reservations_bookingflag_changelist"))
        counts.append(len(answer.context["cl"].result_list))

    assert counts == [1, 0]


def test_members_see_no_list_of_troubles(browser: Client, booked: Reservation) -> None:
    assert "Bookings in trouble" not in browser.get(reverse("portal:hardware")).content.decode()
