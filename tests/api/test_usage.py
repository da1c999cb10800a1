"""``/api/v1/usage/``: GPU-hours and what they cost."""

import base64

import pytest
from rest_framework.test import APIClient

from gpuaas.accounts.models import OrganisationRole, Team, User
from gpuaas.inventory.models import Pool
from reservations.models import Reservation
from tests import make
from tests.api.clients import client_of

pytestmark = pytest.mark.django_db

USAGE = "/api/v1/usage/"


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={make.SLICE: 8})


@pytest.fixture
def finance() -> APIClient:
    return client_of(make.user(organisation_role=OrganisationRole.FINANCE))


def booked(pool: Pool, team: Team, person: User, first: float = -4, last: float = 4) -> None:
    made = make.reservation(
        of=pool, by=team, requested_by=person, at=make.window(first, last), units=2
    )
    Reservation.objects.filter(pk=made.pk).update(cost_minor=1600)


def test_a_member_sees_their_own_of_this_month(pool: Pool) -> None:
    team = make.team(slug="vision")
    me = make.user(teams=[team], username="me")
    booked(pool, team, me)
    booked(pool, team, make.user(teams=[team]))

    (row,) = client_of(me).get(USAGE).json()["results"]

    assert row == {
        "team": "vision",
        "person": None,
        "day": None,
        "since": "2026-03-01T00:00:00Z",
        "until": "2026-04-01T00:00:00Z",
        "bookings": 1,
        "no_shows": 0,
        "booked_gpu_hours": 4.0,
        "used_gpu_hours": 2.0,
        "given_back_gpu_hours": 0.0,
        "reclaimed_gpu_hours": 0.0,
        "cost_minor": 1600,
        "used_cost_minor": 800,
        "currency": "EUR",
    }


def test_pages_go_on_where_the_one_before_ended(pool: Pool, finance: APIClient) -> None:
    for slug in ("a", "b", "c"):
        team = make.team(slug=slug)
        booked(pool, team, make.user(teams=[team], username=f"who-{slug}"))

    first = finance.get(USAGE, {"by": ["team", "person"], "limit": "2"}).json()
    second = finance.get(first["next"]).json()

    assert [row["team"] for row in first["results"]] == ["a", "b"]
    assert [(row["team"], row["person"]) for row in second["results"]] == [("c", "who-c")]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"team": "a"}, 1),
        ({"team": "b"}, 0),
        ({"person": "who"}, 1),
        ({"pool": "nowhere"}, 0),
        ({"by": "day", "since": "2020-01-01T00:00:00Z", "until": "2020-02-01T00:00:00Z"}, 0),
    ],
)
def test_filters_narrow_it(
    pool: Pool, finance: APIClient, asked: dict[str, str], found: int
) -> None:
    team = make.team(slug="a")
    booked(pool, team, make.user(teams=[team], username="who"))

    assert len(finance.get(USAGE, asked).json()["results"]) == found


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"by": "hour"}, 400),
        ({"colour": "red"}, 400),
        ({"until": "2000-01-01T00:00:00Z"}, 400),
        ({"since": "2029-01-01T00:00:00Z"}, 400),
        ({"cursor": "made up"}, 404),
        ({"cursor": base64.b64encode(b'{"a": 1}').decode()}, 404),
        ({"cursor": base64.b64encode(b"[1]").decode()}, 404),
    ],
)
def test_what_cannot_be_answered_is_said(
    finance: APIClient, asked: dict[str, str], status: int
) -> None:
    assert finance.get(USAGE, asked).status_code == status
