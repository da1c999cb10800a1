"""Races for the last device, with each guard and without it.

A test that shows a guard working proves nothing unless another shows the race without it.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from gpuaas.core import locks
from gpuaas.inventory.models import Pool
from reservations import placement, selectors, services
from reservations.lifecycle import State
from reservations.models import DeviceHold, Reservation
from reservations.services import admission, in_one_call
from reservations.services.booking import Answer, Outcome
from tests import make
from tests.concurrency.mutants import function_with
from tests.concurrency.threads import at_once
from tests.make import SLICE

pytestmark = pytest.mark.django_db(transaction=True)


def admit_one(pool: Pool) -> Callable[[], str]:
    """Return an action that books one slice and says what became of it."""
    team = make.team()
    person = make.user(teams=[team])

    def action() -> str:
        try:
            services.admit(
                pool=Pool.objects.get(pk=pool.pk),
                team=team,
                requested_by=person,
                wish=make.wish(),
                now=make.NOON,
            )
        except services.PoolFull:
            return "full"
        except locks.LockBusy as busy:
            # With no lock to be busy, this is the database's own refusal, in words for people.
            if not isinstance(busy.__cause__, IntegrityError):
                raise
            constraint = "device_held_once_at_a_time"
            return f"refused by {constraint if constraint in str(busy.__cause__) else busy}"
        except OperationalError as error:
            # Two that check the constraint against each other wait for each other: one is ended.
            if "while checking exclusion constraint" not in str(error):
                raise
            return "refused by device_held_once_at_a_time"
        return "admitted"

    return action


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 1})


def test_without_lock_and_holds_the_pool_is_oversold(pool: Pool) -> None:
    # If this fails, the next tests prove nothing: the race they guard against is not happening.
    with function_with(lock=False, holds=False, pause_seconds=0.5):
        assert at_once([admit_one(pool), admit_one(pool)]) == ["admitted", "admitted"]


def test_without_the_lock_the_database_refuses_the_second(pool: Pool) -> None:
    with function_with(lock=False, pause_seconds=0.5):
        outcomes = at_once([admit_one(pool), admit_one(pool)])

    assert sorted(outcomes) == ["admitted", "refused by device_held_once_at_a_time"]
    assert Reservation.objects.count() == DeviceHold.objects.count() == 1


def test_with_the_lock_one_is_admitted_and_the_other_told_that_it_is_full(pool: Pool) -> None:
    with function_with(pause_seconds=0.2):
        outcomes = at_once([admit_one(pool), admit_one(pool)])

    assert sorted(outcomes) == ["admitted", "full"]
    assert Reservation.objects.count() == DeviceHold.objects.count() == 1


def test_sixteen_at_once_get_exactly_the_four_slots_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "ADMISSION_LOCK_WAIT", timedelta(seconds=60))
    pool = make.pool(devices={SLICE: 4})

    outcomes = at_once([admit_one(pool) for _ in range(16)])

    assert (outcomes.count("admitted"), outcomes.count("full")) == (4, 12)
    assert DeviceHold.objects.values("device").distinct().count() == 4


def test_a_wish_sent_twice_at_once_is_booked_once() -> None:
    pool, team, wish = make.pool(), make.team(), make.wish()
    person = make.user(teams=[team])

    def book() -> int:
        return services.admit(
            pool=pool, team=team, requested_by=person, wish=wish, now=make.NOON
        ).pk

    assert len(set(at_once([book] * 4))) == 1
    assert Reservation.objects.count() == 1


def test_two_pools_do_not_wait_for_each_other() -> None:
    pools = [make.pool(devices={SLICE: 1}) for _ in range(2)]
    actions = [admit_one(pool) for pool in pools]

    with hold_lock_of(pools[0]) as let_go:
        assert actions[1]() == "admitted"
        let_go.set()
    assert actions[0]() == "admitted"


@pytest.mark.parametrize("way", ["fast", "slow"])
def test_who_waits_too_long_for_the_lock_is_told_to_try_again(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(admission, "ADMISSION_LOCK_WAIT", timedelta(milliseconds=50))
    pool = make.pool()
    if way == "slow":
        fragmented = Answer(Outcome.FRAGMENTED)
        monkeypatch.setattr(in_one_call, "admit", lambda *_, **__: fragmented)
    late = admit_one(pool)

    with hold_lock_of(pool) as let_go:
        with pytest.raises(locks.LockBusy):
            late()
        let_go.set()
    assert not Reservation.objects.exists()


@contextlib.contextmanager
def hold_lock_of(pool: Pool) -> Iterator[threading.Event]:
    """Hold the pool's lock, as somebody who is booking does, until the event is set."""
    has_it, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            locks.hold_until_commit(
                locks.LockSpace.POOL_CAPACITY, pool.pk, wait_at_most=timedelta(seconds=20)
            )
            has_it.set()
            let_go.wait(timeout=20)

    def hold_then_close() -> None:
        try:
            hold()
        finally:
            connection.close()

    holder = threading.Thread(target=hold_then_close)
    holder.start()
    try:
        assert has_it.wait(timeout=20)
        yield let_go
    finally:
        let_go.set()
        holder.join()


@pytest.mark.parametrize("ending", ["canceled", "started"])
def test_a_booking_that_changes_while_its_device_is_exchanged_stays_consistent(
    monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    # Canceling and starting take no pool lock, so they can fall between the reading of the
    # calendar and the exchange of a booking's device.
    pool = make.pool(devices={SLICE: 2})
    zero, one = pool.nodes.get().devices.order_by("ordinal")
    waiting = [
        make.reservation(of=pool, at=make.window(1, 3), devices=[zero]),
        make.reservation(of=pool, at=make.window(3, 5), devices=[one]),
    ]
    read, reads = selectors.node_states, iter(range(10))

    def end_them() -> None:
        for each in waiting:
            if ending == "canceled":
                services.cancel(reservation=each, actor=each.requested_by, now=make.NOON)
            else:
                services.transition(
                    reservation=each,
                    target=State.ACTIVE,
                    reason="its window opened",
                    actor=None,
                    now=make.NOON,
                )

    def read_then_change(pool: Pool, *, now: datetime) -> list[placement.NodeState]:
        states = read(pool, now=now)
        if next(reads) == 0:
            at_once([end_them])
        return states

    monkeypatch.setattr(selectors, "node_states", read_then_change)
    before = set(DeviceHold.objects.values_list("reservation", "device"))

    (outcome,) = at_once([admit_one(pool)])

    after = set(DeviceHold.objects.values_list("reservation", "device"))
    if ending == "canceled":
        assert outcome == "admitted"
        assert len(after) == 1  # of the new booking alone
    else:
        assert outcome == "full"
        assert after == before
