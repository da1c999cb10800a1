"""``/api/v1/series/``, ``/api/v1/templates/`` and booking on behalf, over REST."""

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from gpuaas.accounts.models import MembershipRole, Team, User
from gpuaas.inventory.models import Pool
from reservations.models import BookingTemplate, Reservation, Series
from tests import make
from tests.api.clients import client_of
from tests.make import SLICE

pytestmark = pytest.mark.django_db
SERIES, TEMPLATES = "/api/v1/series/", "/api/v1/templates/"


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture(autouse=True)
def pool() -> Pool:
    return make.pool(slug="lab", devices={SLICE: 4})


@pytest.fixture
def ada(team: Team) -> User:
    return make.user(teams=[team], username="ada")


@pytest.fixture
def member(ada: User) -> APIClient:
    return client_of(ada)


@pytest.fixture
def manager(team: Team) -> APIClient:
    return client_of(make.user(teams=[team], role=MembershipRole.MANAGER, username="mona"))


def wish(**changes: object) -> dict[str, Any]:
    usual = {
        "pool": "lab",
        "team": "vision",
        "resource_name": SLICE,
        "units": 4,
        "starts_at": "2026-03-02T09:00:00+01:00",
        "ends_at": "2026-03-02T12:00:00+01:00",
        "repeat": {"every": "week", "on": ["mo", "we"], "count": 4, "time_zone": "Europe/Berlin"},
    }
    return {k: v for k, v in {**usual, **changes}.items() if v is not None}


def problems(answer: Any) -> list[tuple[str, str]]:
    return [(each["field"], each["code"]) for each in answer.json()["details"]["problems"]]


def test_each_occurrence_has_its_own_answer(member: APIClient, pool: Pool) -> None:
    make.reservation(of=pool, at=make.window(68, 72))  # Wednesday, 9:00 in Berlin

    answer = member.post(SERIES, wish(), format="json")

    assert answer.status_code == 201
    body = answer.json()
    assert answer["Location"].endswith(f"{SERIES}{body['id']}/")
    assert [each["outcome"] for each in body["occurrences"]] == [
        "booked", "refused", "booked", "booked",
    ]  # fmt: skip
    refused = body["occurrences"][1]
    assert (refused["code"], refused["reservation"]) == ("pool_full", None)
    assert refused["nearest_starts_at"]
    assert (body["total"], body["booked"], body["refused"]) == (4, 3, 1)
    assert member.get(answer["Location"]).json() == body
    (listed,) = member.get(SERIES, {"team": "vision", "pool": "lab"}).json()["results"]
    assert (listed["id"], listed["booked"]) == (body["id"], 3)


def test_sent_again_with_its_key_it_is_booked_once(member: APIClient) -> None:
    one, other = (
        member.post(SERIES, wish(), format="json", headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )

    assert (one.json(), other["Idempotency-Replayed"]) == (other.json(), "true")
    assert Reservation.objects.count() == 4


@pytest.mark.parametrize(
    ("changes", "status", "problem"),
    [
        ({"repeat": {"every": "hour", "count": 2}}, 400, ("repeat.every", "invalid_choice")),
        ({"repeat": {"every": "day"}}, 422, ("count", "one_of_two")),
        ({"repeat": {"every": "day", "count": 1}}, 400, ("repeat.count", "min_value")),
        ({"repeat": {"every": "day", "count": 10**9}}, 400, ("repeat.count", "max_value")),
        (
            {"repeat": {"every": "day", "count": 2, "time_zone": "Moon/Base"}},
            400,
            ("repeat.time_zone", "unknown_zone"),
        ),
        ({"repeat": {"every": "day", "count": 2, "x": 1}}, 400, ("repeat.x", "unknown_field")),
        ({"repeat": "daily"}, 400, ("repeat", "invalid")),
        ({"repeat": None}, 400, ("repeat", "required")),
        ({"units": 0}, 400, ("units", "min_value")),
        ({"pool": "nowhere"}, 400, ("pool", "unknown")),
        ({"team": "nobody"}, 400, ("team", "unknown")),
        ({"starts_at": "2026-02-02T09:00:00Z"}, 422, ("ends_at", "window_too_long")),
        (
            {"ends_at": "2026-03-02T08:00:00+01:00"},
            422,
            ("ends_at", "window_ends_before_it_starts"),
        ),
    ],
)
def test_nonsense_is_refused_by_its_field_and_changes_nothing(
    member: APIClient, changes: dict[str, Any], status: int, problem: tuple[str, str]
) -> None:
    answer = member.post(SERIES, wish(**changes), format="json")

    assert answer.status_code == status
    assert problem in problems(answer)
    assert not Series.objects.exists()


def test_canceling_it(member: APIClient, team: Team) -> None:
    made = member.post(SERIES, wish(), format="json").json()
    viewer = client_of(make.user(teams=[team], role=MembershipRole.VIEWER))

    assert viewer.post(f"{SERIES}{made['id']}/cancel/").status_code == 403
    answer = member.post(f"{SERIES}{made['id']}/cancel/")

    assert [each["state"] for each in answer.json()["canceled"]] == ["CANCELED"] * 4
    assert member.post(f"{SERIES}{made['id']}/cancel/").json() == {"canceled": []}
    assert member.post(f"{SERIES}{uuid4()}/cancel/").status_code == 404


def test_others_have_no_such_series(member: APIClient) -> None:
    made = member.post(SERIES, wish(), format="json").json()
    stranger = client_of(make.user(teams=[make.team()]))

    assert stranger.get(f"{SERIES}{made['id']}/").status_code == 404
    assert stranger.get(SERIES).json()["results"] == []


@pytest.mark.parametrize("many", [1, 5])
def test_lists_have_a_budget(
    member: APIClient, many: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(many):
        member.post(SERIES, wish(units=1, purpose=str(number)), format="json")
        member.post(TEMPLATES, template(name=f"number {number}"), format="json")

    for where in (SERIES, TEMPLATES):
        with django_assert_max_num_queries(4):
            assert len(member.get(where).json()["results"]) == many


# --- on behalf -----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [SERIES, "/api/v1/reservations/"])
def test_a_manager_books_for_a_mate(
    manager: APIClient, member: APIClient, ada: User, where: str
) -> None:
    asked = wish(on_behalf_of="ada", repeat=None if "reservations" in where else wish()["repeat"])

    answer = manager.post(where, asked, format="json")

    assert (answer.status_code, answer.json()["requested_by"]) == (201, "ada")
    assert set(Reservation.objects.values_list("requested_by", flat=True)) == {ada.pk}
    refused = member.post(where, {**asked, "on_behalf_of": "mona"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_your_team")
    nobody = manager.post(where, {**asked, "on_behalf_of": "nobody"}, format="json")
    assert (nobody.status_code, problems(nobody)) == (422, [("on_behalf_of", "unknown_person")])


# --- templates -----------------------------------------------------------------------------------


def template(**changes: object) -> dict[str, Any]:
    usual = {
        "name": "nightly",
        "pool": "lab",
        "team": "vision",
        "resource_name": SLICE,
        "units": 2,
        "minutes": 90,
    }
    return {**usual, **changes}


def test_a_template_is_kept_looked_at_booked_with_and_deleted(member: APIClient) -> None:
    made = member.post(TEMPLATES, template(purpose="evaluation"), format="json")
    where = made["Location"]

    assert made.status_code == 201
    assert member.get(where).json() == made.json()
    assert member.get(TEMPLATES).json()["results"] == [made.json()]
    booked = member.post(f"{where}book/", {"starts_at": "2026-03-02T09:00:00Z"}, format="json")
    assert booked.status_code == 201
    assert (booked.json()["ends_at"], booked.json()["purpose"]) == (
        "2026-03-02T10:30:00Z",
        "evaluation",
    )
    assert member.delete(where).status_code == 204
    assert member.get(where).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status", "problem"),
    [
        ({"units": 99}, 422, ("units", "too_many_units")),
        ({"minutes": 1}, 422, ("ends_at", "window_too_short")),
        ({"minutes": 10**9}, 400, ("minutes", "max_value")),
        ({"resource_name": "none"}, 422, ("resource_name", "unknown_type")),
        ({"name": ""}, 400, ("name", "blank")),
        ({"x": 1}, 400, ("x", "unknown_field")),
    ],
)
def test_a_template_of_nothing_is_refused(
    member: APIClient, changes: dict[str, Any], status: int, problem: tuple[str, str]
) -> None:
    answer = member.post(TEMPLATES, template(**changes), format="json")

    assert (answer.status_code, problem in problems(answer)) == (status, True)
    assert not BookingTemplate.objects.exists()


def test_a_name_is_taken_once_and_a_shared_one_is_its_makers(member: APIClient, team: Team) -> None:
    made = member.post(TEMPLATES, template(is_shared=True), format="json").json()
    assert member.post(TEMPLATES, template(), format="json").status_code == 409
    mate = client_of(make.user(teams=[team]))

    assert mate.get(f"{TEMPLATES}{made['id']}/").status_code == 200
    assert mate.delete(f"{TEMPLATES}{made['id']}/").status_code == 403
