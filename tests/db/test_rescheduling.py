"""Moving what has not started: to another window, type or pool, and all of it or nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gpuaas.accounts.models import OrganisationRole
from gpuaas.audit import selectors as audit
from gpuaas.inventory.models import Pool
from gpuaas.notifications.models import OutboxMessage
from reservations import services
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import DeviceHold, Reservation
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 2, GPU: 1})


def move(of: Reservation, *, to: Pool | None = None, now: float = 0, **changes: Any) -> Reservation:
    return services.move(
        reservation=of,
        pool=to or of.pool,
        wish=replace(services.wish_of(of), **changes),
        actor=of.requested_by,
        now=make.at(now),
    )


def state_of(reservation: Reservation) -> tuple[object, ...]:
    row = Reservation.objects.get(pk=reservation.pk)
    held = DeviceHold.objects.filter(reservation=row).order_by("device")
    return (
        row.pool_id,
        row.node_id,
        row.resource_name,
        row.units,
        row.window,
        row.version,
        [(hold.device_id, hold.during.lower, hold.during.upper) for hold in held],
    )


def test_to_another_window_and_type_it_keeps_its_number(pool: Pool) -> None:
    mine = make.reservation(of=pool, at=make.window(2, 4), units=2)

    move(mine, window=make.window(10, 13), resource_name=GPU, units=1)

    row = Reservation.objects.get(pk=mine.pk)
    assert (row.public_id, row.state) == (mine.public_id, State.APPROVED)
    assert (row.window, row.resource_name, row.units) == (make.window(10, 13), GPU, 1)
    hold = row.holds.get()
    assert (hold.device.resource_name, hold.during.lower) == (GPU, make.at(10))


def test_to_another_pool_frees_the_old_one(pool: Pool) -> None:
    other = make.pool(devices={SLICE: 2})
    mine = make.reservation(of=pool, at=make.window(2, 4), units=2)

    move(mine, to=other)

    row = Reservation.objects.get(pk=mine.pk)
    assert (row.pool, row.placed_on.pool) == (other, other)
    make.admitted(of=pool, wish=make.wish(at=make.window(2, 4), units=2))


def test_its_own_booking_does_not_stand_in_its_way(pool: Pool) -> None:
    mine = make.reservation(of=pool, at=make.window(2, 6), units=2)

    move(mine, window=make.window(3, 7))

    assert Reservation.objects.get(pk=mine.pk).window == make.window(3, 7)


def test_where_there_is_no_room_it_stays_what_it_is(pool: Pool) -> None:
    mine = make.reservation(of=pool, at=make.window(2, 4), units=2)
    make.reservation(of=pool, at=make.window(5, 7), units=1)
    before = state_of(mine)

    with pytest.raises(services.PoolFull) as refused:
        move(mine, window=make.window(4, 6))

    assert refused.value.nearest == make.window(7, 9)
    assert state_of(mine) == before
    assert not audit.history_of(mine.subject)


def test_its_budget_counts_what_it_will_cost_and_not_what_it_did(pool: Pool) -> None:
    root = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    mine = make.reservation(of=pool, at=make.window(2, 4), units=1)
    for resource_name, minor in ((SLICE, 100), (GPU, 400)):
        services.set_price(
            pool=pool,
            resource_name=resource_name,
            minor_units_per_unit_hour=minor,
            currency="EUR",
            valid_from=make.NOON,
            actor=root,
            now=make.NOON,
        )
    services.set_team_rules(
        team=mine.team,
        changes={"budget_minor": 1000, "currency": "EUR"},
        actor=root,
        now=make.NOON,
    )
    move(mine, window=make.window(10, 18), now=0.5)  # 8 h at 1.00
    assert Reservation.objects.get(pk=mine.pk).cost_minor == 800

    move(mine, window=make.window(20, 29), now=0.5)  # 9.00 of 10.00, and not 17.00
    with pytest.raises(services.WishRefused) as refused:
        move(mine, resource_name=GPU, now=0.5)  # 36.00

    assert [problem.code for problem in refused.value.problems] == ["budget_exceeded"]
    assert Reservation.objects.get(pk=mine.pk).cost_minor == 900


def test_it_is_told_and_kept_with_what_was_before(pool: Pool) -> None:
    mine = make.reservation(of=pool, at=make.window(2, 4), units=1)

    move(mine, window=make.window(10, 12), units=2)

    (event,) = audit.history_of(mine.subject)
    assert event.action == "reservation.rescheduled"
    assert event.data["changes"] == {
        "units": [1, 2],
        "starts_at": [make.at(2).isoformat(), make.at(10).isoformat()],
        "ends_at": [make.at(4).isoformat(), make.at(12).isoformat()],
    }
    assert OutboxMessage.objects.get().event == "reservation.changed"


def test_bookings_that_have_not_started_make_way(pool: Pool) -> None:
    first = make.reservation(of=pool, at=make.window(2, 4), units=1)
    (device,) = first.holds.values_list("device", flat=True)
    later = make.reservation(
        of=pool, at=make.window(4, 6), units=1, devices=[first.holds.get().device]
    )
    mine = make.reservation(of=pool, at=make.window(20, 21), units=1)
    other = next(
        each for each in first.placed_on.devices.filter(resource_name=SLICE) if each.pk != device
    )
    make.reservation(of=pool, at=make.window(5, 7), units=1, devices=[other])

    move(mine, window=make.window(2, 4.5))

    assert Reservation.objects.get(pk=mine.pk).window == make.window(2, 4.5)
    assert later.holds.count() == 1


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (State.ACTIVE, services.CannotChange),
        (State.PENDING, services.CannotChange),
        (State.COMPLETED, services.CannotChange),
    ],
)
def test_what_cannot_be_moved(pool: Pool, state: State, error: type[Exception]) -> None:
    mine = make.reservation(of=pool, at=make.window(2, 4))
    mine.state = state.value

    with pytest.raises(error):
        move(mine, window=make.window(10, 12))


def test_rules_hold_as_for_a_new_booking(pool: Pool) -> None:
    mine = make.reservation(of=pool, at=make.window(2, 4))
    too_long = Window(make.at(2), make.at(2) + timedelta(days=15))

    with pytest.raises(services.WishRefused) as refused:
        move(mine, window=too_long)

    assert [problem.code for problem in refused.value.problems] == ["window_too_long"]


def test_what_was_set_aside_stays_so_for_no_more_than_before(pool: Pool) -> None:
    root = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    mine = make.reservation(of=pool, at=make.window(2, 4), units=2)
    services.set_pool_rules(
        pool=pool, changes={"approval_above_units": 1}, actor=root, now=make.NOON
    )
    with pytest.raises(services.WishRefused, match="approv"):
        move(mine, window=make.window(10, 12))
    Reservation.objects.filter(pk=mine.pk).update(overridden=["approval_needed"])
    mine.refresh_from_db()

    move(mine, window=make.window(10, 12))
    with pytest.raises(services.WishRefused, match="approv"):
        move(mine, window=make.window(10, 13))


def test_who_read_it_before_somebody_changed_it_looks_again(pool: Pool) -> None:
    mine = make.reservation(of=pool, at=make.window(2, 4))
    stale = Reservation.objects.get(pk=mine.pk)
    move(mine, window=make.window(10, 12))

    with pytest.raises(services.StaleReservation):
        move(stale, window=make.window(20, 22))

    assert DeviceHold.objects.get().during.lower == make.at(10)
