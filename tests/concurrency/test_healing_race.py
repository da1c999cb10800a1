"""Healing against booking, canceling and starting, with the guards and without them."""

import contextlib
import threading
from typing import Any

import pytest

from gpuaas.core import locks
from gpuaas.inventory.models import Device, DeviceState, Pool
from reservations import services
from reservations.models import DeviceHold, Reservation
from reservations.services import healing, holds
from sessions import services as sessions
from tests import make
from tests.concurrency.threads import at_once
from tests.make import SLICE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 2})


@pytest.fixture
def troubled(pool: Pool) -> Reservation:
    """Return a booking whose device failed; the other device is free."""
    booked = make.reservation(of=pool)
    Device.objects.filter(pk=booked.holds.get().device_id).update(state=DeviceState.FAILED)
    return booked


def heal(pool: Pool) -> str:
    done = services.heal(pool=Pool.objects.get(pk=pool.pk), now=make.NOON)
    return f"{len(done.moved)} moved, {len(done.flagged)} flagged, {len(done.failed)} failed"


def admit_after(pool: Pool, ready: threading.Event, done: threading.Event) -> str:
    team = make.team()
    person = make.user(teams=[team])
    ready.wait(timeout=20)
    try:
        services.admit(pool=pool, team=team, requested_by=person, wish=make.wish(), now=make.NOON)
    except services.PoolFull:
        return "full"
    else:
        return "admitted"
    finally:
        done.set()


@pytest.mark.parametrize("is_guarded", [True, False])
def test_somebody_books_the_device_that_healing_has_just_found(
    pool: Pool, troubled: Reservation, is_guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, booked = threading.Event(), threading.Event()
    if not is_guarded:
        monkeypatch.setattr(locks, "hold_until_commit", lambda *_, **__: None)
    move = holds.move

    def find_then_wait(*args: Any, **more: Any) -> None:
        found.set()
        booked.wait(timeout=0.5 if is_guarded else 20)
        move(*args, **more)

    monkeypatch.setattr(holds, "move", find_then_wait)

    outcomes = at_once([lambda: heal(pool), lambda: admit_after(pool, found, booked)])

    if is_guarded:
        assert outcomes == ["1 moved, 0 flagged, 0 failed", "full"]
    else:  # the database refuses the second hold; the next time healing looks again
        assert outcomes == ["0 moved, 0 flagged, 1 failed", "admitted"]
    held = DeviceHold.objects.filter(device__state=DeviceState.IN_SERVICE)
    assert held.count() == 1


@pytest.mark.parametrize("ending", ["canceled", "started"])
def test_a_booking_that_ends_or_starts_after_the_look_is_left_alone(
    pool: Pool, troubled: Reservation, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    todo, before = healing._todo, set(DeviceHold.objects.values_list("reservation", "device"))  # noqa: SLF001

    def end() -> None:
        if ending == "canceled":
            services.cancel(reservation=troubled, actor=troubled.requested_by, now=make.NOON)
        else:
            sessions.open_session(reservation=troubled, now=make.NOON)

    def look_then_change(*args: Any) -> list[int]:
        found = todo(*args)
        at_once([end])
        return found

    monkeypatch.setattr(healing, "_todo", look_then_change)

    assert heal(pool) == (
        "0 moved, 0 flagged, 0 failed" if ending == "canceled" else "0 moved, 1 flagged, 0 failed"
    )
    after = set(DeviceHold.objects.values_list("reservation", "device"))
    assert after == (set() if ending == "canceled" else before)


@pytest.mark.parametrize("ending", ["canceled", "started"])
def test_who_cancels_or_starts_while_it_is_moved_comes_after_the_move(
    pool: Pool, troubled: Reservation, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving, move = threading.Event(), holds.move

    def tell_then_move(*args: Any, **more: Any) -> None:
        moving.set()
        with contextlib.suppress(threading.BrokenBarrierError):
            threading.Event().wait(0.3)  # the other stands at the locked row meanwhile
        move(*args, **more)

    monkeypatch.setattr(holds, "move", tell_then_move)

    def end() -> str:
        moving.wait(timeout=20)
        fresh = Reservation.objects.get(pk=troubled.pk)
        if ending == "canceled":
            services.cancel(reservation=fresh, actor=fresh.requested_by, now=make.NOON)
        else:
            sessions.open_session(reservation=fresh, now=make.NOON)
        return "ended"

    assert at_once([lambda: heal(pool), end]) == ["1 moved, 0 flagged, 0 failed", "ended"]
    held = DeviceHold.objects.filter(reservation=troubled).select_related("device")
    if ending == "canceled":
        assert not held.exists()
    else:
        assert [hold.device.state for hold in held] == [DeviceState.IN_SERVICE]
