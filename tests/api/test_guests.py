"""``/api/v1/reservations/<id>/guests/``."""

import pytest
from django.test import Client

from reservations.lifecycle import State
from reservations.models import Reservation
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def running() -> Reservation:
    team = make.team()
    owner = make.user(teams=(team,), username="ada")
    make.user(teams=(team,), username="tom")
    return make.reservation(by=team, requested_by=owner, at=make.window(0, 4), state=State.ACTIVE)


def as_person(reservation: Reservation) -> Client:
    client = Client()
    client.force_login(reservation.requested_by)
    return client


def test_a_guest_comes_and_goes(running: Reservation) -> None:
    client, url = as_person(running), f"/api/v1/reservations/{running.public_id}/guests/"

    made = client.post(url, {"person": "tom"}, "application/json")
    assert (made.status_code, made.json()["person"]) == (201, "tom")
    assert [each["person"] for each in client.get(url).json()["results"]] == ["tom"]

    assert client.delete(f"{url}tom/").status_code == 204
    assert client.get(url).json()["results"] == []
    assert client.delete(f"{url}tom/").status_code == 404


def test_who_is_no_team_mate_is_refused_with_a_code(running: Reservation) -> None:
    url = f"/api/v1/reservations/{running.public_id}/guests/"

    refused = as_person(running).post(url, {"person": "nobody"}, "application/json")

    assert (refused.status_code, refused.json()["code"]) == (422, "not_a_team_mate")
