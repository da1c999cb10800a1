"""Bookings in trouble over HTTP: seen, filtered, exchanged."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gpuaas.accounts.models import MembershipRole, OrganisationRole
from gpuaas.inventory.models import Device, DeviceState, Pool
from reservations import services
from reservations.capacity import Window
from reservations.models import Reservation
from tests import make
from tests.api.clients import client_of
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db
RESERVATIONS = "/api/v1/reservations/"


@pytest.fixture
def booked() -> Reservation:
    """Return a flagged booking, beside one that is well; a whole GPU is offered instead."""
    pool = make.pool(devices={SLICE: 2, GPU: 1})
    now = timezone.now().replace(microsecond=0)
    at = Window(now + timedelta(hours=1), now + timedelta(hours=5))
    booked, _ = make.reservation(of=pool, at=at), make.reservation(of=pool, at=at)
    Device.objects.filter(pk=booked.holds.get().device_id).update(state=DeviceState.FAILED)
    services.heal(pool=Pool.objects.get(), now=now)
    return booked


def accept(booked: Reservation, who: Any, body: dict[str, object]) -> Any:
    address = f"{RESERVATIONS}{booked.public_id}/flag/accept/"
    return client_of(who).post(address, body, format="json")


def test_a_flag_says_what_the_matter_is(booked: Reservation) -> None:
    found = client_of(booked.requested_by).get(f"{RESERVATIONS}{booked.public_id}/").json()

    assert found["flag"]["cause"] == "device_out_of_service"
    assert "MIG slice 1g.24gb" in found["flag"]["detail"]
    assert {each["resource_name"] for each in found["offers"]} == {SLICE, GPU}


@pytest.mark.parametrize(("flagged", "count"), [("true", 1), ("false", 1), ("", 2)])
def test_bookings_in_trouble_are_found(booked: Reservation, flagged: str, count: int) -> None:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    query = {"flagged": flagged} if flagged else {}

    found = client_of(admin).get(RESERVATIONS, query).json()["results"]

    assert len(found) == count
    if count == 1:
        assert (found[0]["flag"] is not None) is (flagged == "true")


def test_an_offer_is_accepted(booked: Reservation) -> None:
    found = client_of(booked.requested_by).get(f"{RESERVATIONS}{booked.public_id}/").json()
    offer = next(each for each in found["offers"] if each["resource_name"] == GPU)

    response = accept(booked, booked.requested_by, {"offer": offer["offer"]})

    assert response.status_code == 201
    assert response.json()["resource_name"] == GPU
    booked.refresh_from_db()
    assert booked.state == "CANCELED"


def test_an_offer_that_is_gone_comes_with_new_ones(booked: Reservation) -> None:
    response = accept(booked, booked.requested_by, {"offer": "gone"})

    assert (response.status_code, response.json()["code"]) == (409, "offer_gone")
    assert len(response.json()["details"]["offers"]) == 2


@pytest.mark.parametrize("body", [{}, {"offer": ""}, {"offer": "x", "more": 1}])
def test_nonsense_is_refused(booked: Reservation, body: dict[str, object]) -> None:
    assert accept(booked, booked.requested_by, body).status_code == 400


def test_who_may_accept(booked: Reservation) -> None:
    viewer = make.user(teams=[booked.team], role=MembershipRole.VIEWER)

    assert accept(booked, viewer, {"offer": "x"}).status_code == 403
    assert accept(booked, make.user(), {"offer": "x"}).status_code == 404
