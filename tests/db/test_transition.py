"""Moves along the lifecycle: compare-and-swap, the devices given back, the trail."""

import pytest
from django.db import IntegrityError, transaction

from gpuaas.audit import selectors as audit
from reservations import lifecycle, services
from reservations.lifecycle import State
from reservations.models import DeviceHold, Reservation
from tests import make
from tests.make import SLICE

pytestmark = pytest.mark.django_db


def move(reservation: Reservation, target: State, *, at_hour: float = 2) -> None:
    services.transition(
        reservation=reservation,
        target=target,
        reason="because",
        actor=reservation.requested_by,
        now=make.at(at_hour),
    )


def test_a_move_is_in_the_database_and_on_the_object() -> None:
    reservation = make.reservation()

    move(reservation, State.ACTIVE)

    stored = Reservation.objects.get(pk=reservation.pk)
    for each in (reservation, stored):
        assert (each.state, each.state_reason, each.state_changed_at, each.released_at) == (
            "ACTIVE",
            "because",
            make.at(2),
            None,
        )


def test_a_move_is_in_the_audit_trail() -> None:
    reservation = make.reservation()

    move(reservation, State.ACTIVE)

    (event,) = audit.history_of(reservation.subject)
    assert (event.action, event.actor) == ("reservation.active", reservation.requested_by)
    assert event.data == {"came_from": "APPROVED", "reason": "because"}


@pytest.mark.parametrize(
    ("source", "target"),
    [(s, t) for s in State for t in State if t not in lifecycle.TRANSITIONS[s]],
)
def test_a_move_that_is_not_in_the_table_changes_nothing(source: State, target: State) -> None:
    reservation = make.reservation(state=source)

    with pytest.raises(lifecycle.TransitionNotAllowed):
        move(reservation, target)

    assert Reservation.objects.get(pk=reservation.pk).state == source
    assert not audit.history_of(reservation.subject)


def test_of_two_writers_one_wins() -> None:
    reservation = make.reservation()
    stale_copy = Reservation.objects.get(pk=reservation.pk)
    services.cancel(reservation=reservation, actor=reservation.requested_by, now=make.NOON)

    with pytest.raises(services.StaleReservation):
        move(stale_copy, State.ACTIVE)

    assert Reservation.objects.get(pk=reservation.pk).state == State.CANCELED
    assert audit.history_of(reservation.subject).count() == 1


@pytest.mark.parametrize("state", sorted(lifecycle.HOLDS_CAPACITY))
def test_what_is_canceled_before_it_starts_gives_everything_back(state: State) -> None:
    pool = make.pool(devices={SLICE: 1})
    reservation = make.reservation(of=pool, at=make.window(1, 5), state=state)

    services.cancel(reservation=reservation, actor=reservation.requested_by, now=make.at(1))

    assert reservation.released_at == make.at(1)
    assert not DeviceHold.objects.exists()
    make.admitted(of=pool, wish=make.wish(at=make.window(1, 5)), now=make.at(1))


def test_what_is_given_back_early_frees_its_device_from_now_on() -> None:
    pool = make.pool(devices={SLICE: 1})
    reservation = make.reservation(of=pool, at=make.window(1, 5), state=State.ACTIVE)

    services.give_back(reservation=reservation, actor=reservation.requested_by, now=make.at(2))

    assert (reservation.state, reservation.released_at) == (State.COMPLETED, make.at(2))
    assert "given back early by" in reservation.state_reason
    during = reservation.holds.get().during
    assert (during.lower, during.upper) == (make.at(1), make.at(2))
    make.admitted(of=pool, wish=make.wish(at=make.window(2, 5)), now=make.at(2))


def test_what_ends_on_time_has_given_nothing_back_early() -> None:
    reservation = make.reservation(at=make.window(1, 5), state=State.ACTIVE)

    move(reservation, State.COMPLETED, at_hour=5)

    assert reservation.released_at is None
    assert reservation.holds.get().during.upper == make.at(5)


def test_what_has_not_started_cannot_be_given_back() -> None:
    reservation = make.reservation()

    with pytest.raises(lifecycle.TransitionNotAllowed):
        services.give_back(reservation=reservation, actor=reservation.requested_by, now=make.NOON)


def test_a_long_reason_is_cut_to_its_column() -> None:
    reservation = make.reservation()

    services.transition(
        reservation=reservation, target=State.FAILED, reason="x" * 999, actor=None, now=make.NOON
    )

    assert len(Reservation.objects.get(pk=reservation.pk).state_reason) == 300


def test_what_was_never_started_fails_and_says_why() -> None:
    reservation = make.reservation(at=make.window(1, 5))

    services.fail_missed(reservation=reservation, now=make.at(6))

    assert reservation.state == State.FAILED
    assert "could not start it" in reservation.state_reason
    assert reservation.released_at is None


@pytest.mark.parametrize("state", sorted(lifecycle.IS_NO_BOOKING_YET))
@pytest.mark.parametrize(("ended_at", "released_at"), [(0, 0), (3, 1), (9, 1)])
def test_what_was_never_booked_gives_everything_back_however_late(
    state: State, ended_at: float, released_at: float
) -> None:
    reservation = make.reservation(at=make.window(1, 5), state=state)

    services.cancel(reservation=reservation, actor=reservation.requested_by, now=make.at(ended_at))

    assert reservation.released_at == make.at(released_at)
    assert not DeviceHold.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "FAILED"},
        {"state": "PENDING"},
        {"state": "PENDING", "pending_on": "requester", "held_until": make.at(1.1)},
        {"state": "PENDING", "pending_on": "approver", "held_until": make.at(1)},
        {"state": "APPROVED", "pending_on": "approver"},
        {"state": "APPROVED", "held_until": make.at(1)},
        {"state": "COMPLETED", "node": None},
    ],
)
def test_the_database_refuses_what_makes_no_sense(wrong: dict[str, object]) -> None:
    reservation = make.reservation(at=make.window(1, 5))

    with pytest.raises(IntegrityError), transaction.atomic():
        Reservation.objects.filter(pk=reservation.pk).update(**wrong)
