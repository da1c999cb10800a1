"""Two writers of one reservation; two reconcilers of one cluster."""

import threading
from collections.abc import Callable

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from gpuaas.core import locks
from gpuaas.core.locks import LockSpace
from reservations import lifecycle, services
from reservations.lifecycle import State
from reservations.models import Reservation
from reservations.services.admission import ADMISSION_LOCK_WAIT
from tests import make
from tests.concurrency.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def mover(reservation: Reservation, target: State) -> Callable[[], str]:
    """Return an action that moves its own copy, read before any of them writes."""
    copy = Reservation.objects.select_related("team").get(pk=reservation.pk)

    def action() -> str:
        try:
            services.transition(
                reservation=copy, target=target, reason="race", actor=None, now=make.at(2)
            )
        except services.StaleReservation:
            return "stale"
        return target.value

    return action


@pytest.mark.parametrize("repeat", range(5))
def test_of_cancel_and_activate_exactly_one_wins(repeat: int) -> None:
    reservation = make.reservation()

    outcomes = at_once([mover(reservation, State.CANCELED), mover(reservation, State.ACTIVE)])

    reservation.refresh_from_db()
    assert sorted(outcomes) == sorted([reservation.state, "stale"])
    live = lifecycle.State(reservation.state) in lifecycle.HOLDS_CAPACITY
    window = reservation.holds.get().during
    assert window.upper == (reservation.ends_at if live else make.at(2))


def test_of_many_cancels_exactly_one_wins() -> None:
    reservation = make.reservation()

    outcomes = at_once([mover(reservation, State.CANCELED) for _ in range(8)])

    assert sorted(outcomes) == ["CANCELED", *["stale"] * 7]


def test_of_two_who_want_to_be_alone_one_is() -> None:
    both_have_tried = threading.Barrier(2)

    def try_it() -> bool:
        with locks.held_alone(LockSpace.RECONCILE_CYCLE, 1) as alone:
            both_have_tried.wait(timeout=20)
            return alone

    assert sorted(at_once([try_it, try_it])) == [False, True]


def test_different_objects_are_held_at_once() -> None:
    with (
        locks.held_alone(LockSpace.RECONCILE_CYCLE, 1) as one,
        locks.held_alone(LockSpace.RECONCILE_CYCLE, 2) as other,
        locks.held_alone(LockSpace.AUDIT_CHAIN, 1) as another_space,
    ):
        assert (one, other, another_space) == (True, True, True)


def test_it_is_free_again_after_the_block_even_after_a_crash_in_it() -> None:
    with pytest.raises(ZeroDivisionError), locks.held_alone(LockSpace.RECONCILE_CYCLE, 1):
        raise ZeroDivisionError

    with locks.held_alone(LockSpace.RECONCILE_CYCLE, 1) as alone:
        assert alone


def test_the_lock_outlives_the_transactions_in_the_block() -> None:
    with locks.held_alone(LockSpace.RECONCILE_CYCLE, 1):
        with transaction.atomic():
            make.team()
        connection.close()

        with locks.held_alone(LockSpace.RECONCILE_CYCLE, 1) as second:
            assert not second


def test_its_connection_has_the_options_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    # sslmode=verify-full must not be lost on the way to a second connection.
    asked: list[dict[str, object]] = []
    connect = psycopg.connect

    def remember(**options: object) -> psycopg.Connection[tuple[object, ...]]:
        asked.append(options)
        return connect(**options)  # type: ignore[arg-type]

    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "sslmode", "prefer")
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "connect_timeout", "7")
    monkeypatch.setattr("gpuaas.core.locks.psycopg.connect", remember)

    with locks.held_alone(LockSpace.RECONCILE_CYCLE, 1) as alone:
        assert alone

    assert (asked[0]["sslmode"], asked[0]["connect_timeout"]) == ("prefer", "7")


def test_a_lock_outside_a_transaction_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        locks.hold_until_commit(LockSpace.POOL_CAPACITY, 1, wait_at_most=ADMISSION_LOCK_WAIT)


def test_an_interrupted_wait_is_not_taken_for_a_busy_lock() -> None:
    def wait_for_a_moment() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 50")
            locks.hold_until_commit(LockSpace.POOL_CAPACITY, 1, wait_at_most=ADMISSION_LOCK_WAIT)

    with locks.held_alone(LockSpace.POOL_CAPACITY, 1) as alone:
        assert alone
        with pytest.raises(OperationalError, match="statement timeout"):
            wait_for_a_moment()
