"""`reservations.services.heal` on a real PostgreSQL."""

from collections.abc import Callable
from typing import Any

import pytest

from gpuaas.audit import selectors as audit
from gpuaas.core import locks
from gpuaas.inventory.models import Device, DeviceState, Node, Pool
from gpuaas.notifications.models import OutboxMessage
from reservations import placement, selectors, services, trouble
from reservations.lifecycle import State
from reservations.models import BookingFlag, Reservation
from reservations.services import healing
from reservations.services import holds as holds_service
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db


def put(device: Device, state: DeviceState) -> None:
    Device.objects.filter(pk=device.pk).update(state=state)


def fail_devices_of(reservation: Reservation, state: DeviceState = DeviceState.FAILED) -> None:
    for hold in reservation.holds.select_related("device"):
        put(hold.device, state)


def heal(pool: Pool, hour: float = 0) -> services.Healing:
    return services.heal(pool=pool, now=make.at(hour))


def told(event: str) -> int:
    return OutboxMessage.objects.filter(event=event).count()


def actions(reservation: Reservation) -> list[str]:
    return [event.action for event in audit.history_of(reservation.subject)]


def devices_of(reservation: Reservation) -> set[int]:
    return {hold.device_id for hold in reservation.holds.all()}


def test_a_booking_goes_to_another_device_of_its_node() -> None:
    pool = make.pool(devices={SLICE: 2})
    booked = make.admitted(of=pool, wish=make.wish())
    fail_devices_of(booked)
    before = devices_of(booked)

    done = heal(pool)

    assert done.moved == [str(booked.public_id)]
    assert devices_of(booked).isdisjoint(before)
    assert len(devices_of(booked)) == 1
    assert actions(booked)[-1] == "reservation.moved"
    assert told("reservation.moved") == 1
    assert not BookingFlag.objects.exists()


def test_a_booking_goes_to_another_node_with_all_that_it_asked_for() -> None:
    pool = make.pool(devices={SLICE: 2}, nodes=2)
    booked = make.admitted(of=pool, wish=make.wish(units=2))
    before: dict[str, Any] = {**Reservation.objects.filter(pk=booked.pk).values().get()}
    fail_devices_of(booked, DeviceState.DRAINING)

    heal(pool)

    after: dict[str, Any] = {**Reservation.objects.filter(pk=booked.pk).values().get()}
    assert {key for key in after if after[key] != before[key]} == {"node_id", "version"}
    holds = booked.holds.select_related("device")
    assert {hold.device.node_id for hold in holds} == {after["node_id"]}
    assert [(h.during.lower, h.during.upper) for h in holds] == [
        (booked.starts_at, booked.ends_at)
    ] * 2


def test_a_booking_that_is_late_holds_its_new_device_from_now_on() -> None:
    pool = make.pool(devices={SLICE: 2})
    booked = make.reservation(of=pool, at=make.window(-1, 4))
    fail_devices_of(booked)

    heal(pool)

    assert booked.holds.get().during.lower == make.NOON


def test_bookings_that_are_fine_stay_and_a_second_time_nothing_is_written() -> None:
    pool = make.pool(devices={SLICE: 3})
    fine = make.reservation(of=pool)
    broken = make.reservation(of=pool)
    fail_devices_of(broken)
    before = devices_of(fine)
    assert heal(pool).moved == [str(broken.public_id)]

    assert heal(pool) == services.Healing()
    assert devices_of(fine) == before
    assert actions(broken).count("reservation.moved") == told("reservation.moved") == 1


def node_out(pool: Pool, _: Reservation) -> None:
    pool.nodes.update(is_schedulable=False)


def node_elsewhere(pool: Pool, _: Reservation) -> None:
    pool.nodes.update(pool=make.pool(nodes=0))


def closed(pool: Pool, _: Reservation) -> None:
    make.closure(of=pool, at=make.window(4, 9))


def fewer_reported(pool: Pool, _: Reservation) -> None:
    pool.nodes.update(reported_devices={SLICE: 0})


def device_failed(_: Pool, reservation: Reservation) -> None:
    fail_devices_of(reservation)


WAYS = [
    (device_failed, trouble.Cause.DEVICE, "MIG slice 1g.24gb #0 (failed) on"),
    (node_out, trouble.Cause.NODE, "is out of service"),
    (node_elsewhere, trouble.Cause.NODE, "is out of service"),
    (closed, trouble.Cause.CLOSED, "is closed from 2026-03-01 16:00 UTC to 2026-03-01 21:00 UTC"),
    (fewer_reported, trouble.Cause.SHORT, "has less at the moment than is booked on it"),
]


@pytest.mark.parametrize(("happens", "cause", "detail"), WAYS)
def test_what_cannot_be_moved_is_flagged_and_its_people_told_once(
    happens: Callable[[Pool, Reservation], None], cause: trouble.Cause, detail: str
) -> None:
    pool = make.pool(devices={SLICE: 1})
    booked = make.reservation(of=pool)
    happens(pool, booked)

    assert heal(pool).flagged == [str(booked.public_id)]
    assert heal(pool, hour=0.5) == services.Healing()

    flag = booked.flags.get()
    assert (flag.cause, flag.since, flag.resolved_at) == (cause, make.NOON, None)
    assert detail in flag.detail
    message = OutboxMessage.objects.get(event="reservation.flagged")
    assert message.team == booked.team
    assert message.data["reason"] == flag.detail
    assert message.data["requested_by"] == booked.requested_by_id
    assert actions(booked) == ["reservation.flagged"]


def test_a_flag_is_gone_when_the_hardware_is_back() -> None:
    pool = make.pool(devices={SLICE: 1})
    booked = make.reservation(of=pool)
    fail_devices_of(booked)
    heal(pool)
    fail_devices_of(booked, DeviceState.IN_SERVICE)

    assert heal(pool, hour=0.5).resolved == [str(booked.public_id)]
    assert booked.flags.get().resolved_at == make.at(0.5)
    assert actions(booked)[-1] == "reservation.unflagged"
    assert heal(pool, hour=0.6) == services.Healing()


def test_a_flag_is_gone_when_the_booking_is() -> None:
    pool = make.pool(devices={SLICE: 1})
    booked = make.reservation(of=pool)
    fail_devices_of(booked)
    heal(pool)
    services.cancel(reservation=booked, actor=booked.requested_by, now=make.NOON)

    assert heal(pool).resolved == [str(booked.public_id)]


def test_a_flagged_booking_is_moved_when_room_appears() -> None:
    pool = make.pool(devices={SLICE: 2})
    other, booked = make.reservation(of=pool), make.reservation(of=pool)
    fail_devices_of(booked)
    assert heal(pool).flagged
    services.cancel(reservation=other, actor=other.requested_by, now=make.NOON)

    done = heal(pool)

    assert done.moved == done.resolved == [str(booked.public_id)]
    assert booked.flags.get().resolved_at == make.NOON


def test_another_cause_is_another_flag() -> None:
    pool = make.pool(devices={SLICE: 1})
    booked = make.reservation(of=pool)
    closed(pool, booked)
    heal(pool)
    fail_devices_of(booked)

    heal(pool, hour=0.5)

    causes = list(booked.flags.values_list("cause", "resolved_at"))
    assert causes == [("device_out_of_service", None), ("closed", make.at(0.5))]
    assert told("reservation.flagged") == 2


def test_what_runs_on_failed_hardware_is_flagged_and_never_moved() -> None:
    pool = make.pool(devices={SLICE: 2})
    booked = make.reservation(of=pool, at=make.window(-1, 4), state=State.ACTIVE)
    fail_devices_of(booked)
    before = devices_of(booked)

    assert heal(pool).flagged == [str(booked.public_id)]
    assert devices_of(booked) == before


def test_devices_of_others_are_exchanged_to_make_room() -> None:
    pool = make.pool(devices={SLICE: 3})
    zero, one, two = Device.objects.order_by("ordinal")
    early = make.reservation(of=pool, at=make.window(1, 3), devices=[zero])
    late = make.reservation(of=pool, at=make.window(3, 5), devices=[one])
    booked = make.reservation(of=pool, at=make.window(1, 5), devices=[two])
    put(two, DeviceState.FAILED)

    assert heal(pool).moved == [str(booked.public_id)]
    assert devices_of(early) == devices_of(late) != devices_of(booked)


def test_one_booking_over_which_we_fail_blocks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make.pool(devices={SLICE: 4})
    first, second = make.reservation(of=pool), make.reservation(of=pool)
    fail_devices_of(first)
    fail_devices_of(second)
    move = holds_service.move

    def fail_for_first(reservation: Reservation, *args: Any, **more: Any) -> None:
        if reservation.pk == first.pk:
            raise ArithmeticError
        move(reservation, *args, **more)

    monkeypatch.setattr(holds_service, "move", fail_for_first)

    done = heal(pool)

    assert (done.failed, done.moved) == ([str(first.pk)], [str(second.public_id)])
    assert actions(first) == []


def test_a_call_does_a_bounded_amount_of_work_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(healing, "AT_MOST", 2)
    pool = make.pool(devices={SLICE: 5})
    for _ in range(5):
        fail_devices_of(make.reservation(of=pool))

    assert [len(heal(pool).flagged) for _ in range(4)] == [2, 2, 1, 0]


def test_where_nothing_is_wrong_the_number_of_queries_is_the_same(
    django_assert_max_num_queries: Any,
) -> None:
    pool = make.pool(devices={SLICE: 4}, nodes=2)
    for _ in range(4):
        make.reservation(of=pool)

    with django_assert_max_num_queries(9):
        assert heal(pool) == services.Healing()


def test_every_pool_is_healed_though_one_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = [make.pool(devices={SLICE: 2}) for _ in range(3)]
    booked = [make.reservation(of=pool) for pool in pools]
    for each in booked:
        fail_devices_of(each)
    read = selectors.node_states
    refusals = {
        pools[0].pk: locks.LockBusy("somebody books"),
        pools[1].pk: ArithmeticError("a bug"),
    }

    def read_unless_broken(pool: Pool, **more: Any) -> list[placement.NodeState]:
        if pool.pk in refusals:
            raise refusals[pool.pk]
        return read(pool, **more)

    monkeypatch.setattr(selectors, "node_states", read_unless_broken)

    assert [done.moved for done in services.heal_all(now=make.NOON)] == [[str(booked[2].public_id)]]


def test_a_node_with_more_slots_a_unit_may_take_it_and_one_with_fewer_not() -> None:
    # Time-slicing counts only where a node has a single device of a type.
    pool = make.pool(devices={GPU: 1})
    booked = make.reservation(of=pool, resource_name=GPU)
    make.node(of=pool, devices={GPU: 2})
    fail_devices_of(booked)
    assert heal(pool).flagged

    single = make.node(of=pool, devices={GPU: 1})
    assert heal(pool).moved
    booked.refresh_from_db()
    assert booked.node == single


@pytest.mark.parametrize(
    ("change", "starts"),
    [
        ({}, True),
        ({"is_schedulable": False}, False),
        ({"is_ready": False}, False),
    ],
)
def test_no_booking_is_started_on_a_node_that_is_out(change: dict[str, bool], starts: bool) -> None:
    booked = make.reservation(at=make.window(0, 4))
    Node.objects.filter(pk=booked.placed_on_id).update(**change)

    due = selectors.due_to_start(booked.pool.cluster, now=make.NOON)
    assert due.filter(pk=booked.pk).exists() is starts


@pytest.mark.parametrize(
    ("state", "starts"),
    [(DeviceState.FAILED, False), (DeviceState.RETIRED, False), (DeviceState.DRAINING, True)],
)
def test_no_booking_is_started_on_a_broken_device(state: DeviceState, starts: bool) -> None:
    booked = make.reservation(at=make.window(0, 4))
    fail_devices_of(booked, state)

    due = selectors.due_to_start(booked.pool.cluster, now=make.NOON)
    assert due.filter(pk=booked.pk).exists() is starts


@pytest.mark.parametrize(("hours", "starts"), [((-1, 1), False), ((2, 3), True), ((-1, 0), True)])
def test_no_booking_is_started_while_its_node_is_closed(
    hours: tuple[float, float], starts: bool
) -> None:
    booked = make.reservation(at=make.window(0, 4))
    make.closure(of=booked.placed_on, at=make.window(*hours))

    due = selectors.due_to_start(booked.pool.cluster, now=make.NOON)
    assert due.filter(pk=booked.pk).exists() is starts


def test_no_booking_is_started_where_less_is_reported_than_booked() -> None:
    booked = make.reservation(at=make.window(0, 4))
    fewer_reported(booked.pool, booked)
    heal(booked.pool)

    assert not selectors.due_to_start(booked.pool.cluster, now=make.NOON).exists()


def test_a_booking_that_never_started_says_what_the_matter_was() -> None:
    booked = make.reservation(of=make.pool(devices={SLICE: 1}), at=make.window(0, 4))
    fail_devices_of(booked)
    heal(booked.pool)

    services.fail_missed(reservation=booked, now=make.at(4))

    assert "MIG slice 1g.24gb #0" in booked.state_reason


def test_room_that_is_gone_again_under_the_lock_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    booked = make.reservation(of=make.pool(devices={SLICE: 1}))
    fail_devices_of(booked)
    heal(booked.pool)
    monkeypatch.setattr(healing, "_todo", lambda *_: [booked.pk])

    assert heal(booked.pool) == services.Healing()


def test_a_node_that_is_in_no_pool_has_nothing_to_be_healed() -> None:
    assert services.heal_these(pools=[None], now=make.NOON) == []
