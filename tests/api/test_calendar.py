"""``/api/v1/pools/<slug>/availability/`` and ``.../calendar/``."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from gpuaas.inventory.models import Closure, ClosureKind, Device, DeviceState, Pool
from reservations import services
from reservations.calendar import rows
from reservations.capacity import Window
from tests import make
from tests.api.clients import client_of
from tests.make import SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 2}, nodes=2)


def availability(pool: Pool, **query: Any) -> Any:
    asked: dict[str, Any] = {"resource_name": SLICE, "hours": 6, **query}
    asked.setdefault("starts_at", make.NOON.isoformat())
    return client_of(make.user()).get(f"/api/v1/pools/{pool.slug}/availability/", asked)


def free(pool: Pool) -> list[int]:
    found: list[int] = availability(pool).json()["free"]
    return found


def test_each_hour_has_what_is_free_throughout_it(pool: Pool) -> None:
    make.reservation(of=pool, at=make.window(1, 2.5))
    make.reservation(of=pool, at=make.window(2.5, 3), units=2)

    assert free(pool) == [4, 3, 2, 4, 4, 4]


def test_hardware_that_is_away_is_not_free(pool: Pool) -> None:
    one, other = pool.nodes.order_by("name")
    Device.objects.filter(pk=one.devices.all()[0].pk).update(state=DeviceState.FAILED)
    pool.nodes.filter(pk=other.pk).update(reported_devices={SLICE: 1})
    Closure.objects.create(
        node=one,
        kind=ClosureKind.MAINTENANCE,
        starts_at=make.at(2),
        ends_at=make.at(3),
        reason="cables",
        created_by=make.user(),
        created_at=make.NOON,
    )

    assert free(pool) == [2, 2, 1, 2, 2, 2]


def test_a_closed_pool_is_not_free(pool: Pool) -> None:
    Closure.objects.create(
        pool=pool,
        kind=ClosureKind.BLACKOUT,
        starts_at=make.at(4),
        ends_at=make.at(5),
        reason="audit",
        created_by=make.user(),
        created_at=make.NOON,
    )

    assert free(pool) == [4, 4, 4, 4, 0, 4]


def test_what_was_given_back_is_free_again(pool: Pool) -> None:
    booked = make.reservation(of=pool, at=make.window(1, 3))
    services.cancel(reservation=booked, actor=booked.requested_by, now=make.NOON)

    assert free(pool) == [4] * 6


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"resource_name": "nvidia.com/tpu"}, "resource_name"),
        ({"hours": 0}, "hours"),
        ({"hours": 337}, "hours"),
        ({"starts_at": "2026-03-01T12:00"}, "starts_at"),
        ({"hour": 3}, "hour"),
    ],
)
def test_a_bad_question_is_told_what_is_wrong(
    pool: Pool, query: dict[str, object], field: str
) -> None:
    response = availability(pool, **query)

    assert response.status_code == 400
    assert [problem["field"] for problem in response.json()["details"]["problems"]] == [field]


def test_without_a_start_it_starts_with_this_hour(pool: Pool) -> None:
    response = client_of(make.user()).get(
        f"/api/v1/pools/{pool.slug}/availability/", {"resource_name": SLICE}
    )

    assert response.json()["free"] == [4] * 14 * 24
    assert response.json()["starts_at"].endswith(":00:00Z")


def calendar(who: Any, pool: Pool, **query: str) -> Any:
    asked = {"starts_at": make.at(0).isoformat(), "ends_at": make.at(48).isoformat(), **query}
    return client_of(who).get(f"/api/v1/pools/{pool.slug}/calendar/", asked)


def test_own_and_the_teams_bookings_are_told_and_those_of_others_only_taken(pool: Pool) -> None:
    team = make.team()
    person, mate = make.user(teams=[team]), make.user(teams=[team])
    own = make.reservation(of=pool, by=team, requested_by=person, at=make.window(0, 1))
    mates = make.reservation(of=pool, by=team, requested_by=mate, at=make.window(1, 2))
    foreign = make.reservation(of=pool, at=make.window(2, 3))

    response = calendar(person, pool)

    devices = response.json()["devices"]
    assert [(d["resource_name"], d["ordinal"]) for d in devices] == [(SLICE, 0), (SLICE, 1)] * 2
    bookings = devices[0]["bookings"]
    assert [(b["whose"], b.get("reservation")) for b in bookings] == [
        ("own", str(own.public_id)),
        ("team", str(mates.public_id)),
        ("others", None),
    ]
    assert set(bookings[2]) == {"starts_at", "ends_at", "whose"}
    for secret in (foreign.team.name, foreign.requested_by.username, str(foreign.public_id)):
        assert secret not in response.content.decode()


@pytest.mark.parametrize("hours", [0, -1, 24 * 31 + 1])
def test_the_calendar_covers_a_bounded_time(pool: Pool, hours: float) -> None:
    response = calendar(make.user(), pool, ends_at=make.at(hours).isoformat())

    assert response.status_code == 400
    assert response.json()["details"]["problems"][0]["field"] == "ends_at"


def test_both_cost_the_same_however_much_is_booked(
    pool: Pool, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    person = make.user()
    browser = client_of(person)
    for hour in range(10):
        make.reservation(of=pool, at=make.window(hour, hour + 1))
    window = {"starts_at": make.at(0).isoformat(), "ends_at": make.at(48).isoformat()}

    with django_assert_num_queries(2 + 5):  # who is asking; pool, devices, nodes, holds, closures
        browser.get(
            f"/api/v1/pools/{pool.slug}/availability/",
            {"resource_name": SLICE, "starts_at": window["starts_at"]},
        )
    with django_assert_num_queries(2 + 4):  # who is asking; pool, devices, told, holds
        browser.get(f"/api/v1/pools/{pool.slug}/calendar/", window)


@pytest.mark.parametrize("microseconds", [0, 1, 123_457, 999_999])
def test_the_calendar_is_exact_to_the_microsecond(pool: Pool, microseconds: int) -> None:
    starts_at = make.at(1) + timedelta(microseconds=microseconds)
    make.reservation(of=pool, at=Window(starts_at, make.at(3)))

    [row, *_] = rows(pool, within=make.window(0, 24), seen_by=make.user(), now=make.NOON)

    assert [(entry.starts_at, entry.ends_at) for entry in row.entries] == [(starts_at, make.at(3))]
