"""64 clients book, extend, cancel and fail in one pool at once: never more than there is.

The oracle reads every row afterwards and knows nothing of how room is found.
"""

import random
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError

from gpuaas.core import locks
from gpuaas.core.errors import DomainError
from gpuaas.inventory.models import Pool
from reservations import lifecycle, services
from reservations.lifecycle import State
from reservations.models import DeviceHold, Reservation
from reservations.services import admission, extension, holds, under_lock
from reservations.services.booking import Booking, Terms
from tests import make
from tests.concurrency.threads import at_once
from tests.make import SLICE

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS, STEPS, DEVICES = 64, 3, 4


def client(pool: Pool, number: int) -> Callable[[], list[str]]:
    """Return somebody who books, and then extends, cancels or fails what they got."""
    team = make.team()
    person = make.user(teams=[team])
    dice = random.Random(number)  # noqa: S311 -- the same load each time

    def action() -> list[str]:
        done: list[str] = []
        for _ in range(STEPS):
            first = dice.randrange(8)
            wish = make.wish(
                units=dice.choice([1, 1, 2]), at=make.window(first, first + 1), storage_gib=10
            )
            try:
                mine = services.admit(
                    pool=pool, team=team, requested_by=person, wish=wish, now=make.NOON
                )
                done.append("admitted")
                done.append(_next(dice.randrange(4), mine))
            except DomainError as refused:
                done.append(refused.code)
        return done

    return action


def _next(what: int, mine: Reservation) -> str:
    if what == 0:
        services.cancel(reservation=mine, actor=mine.requested_by, now=make.NOON)
        return "canceled"
    if what == 1:
        services.transition(
            reservation=mine, target=State.FAILED, reason="lost", actor=None, now=make.NOON
        )
        return "failed"
    until = mine.ends_at + timedelta(hours=what - 1)
    services.extend(reservation=mine, ends_at=until, actor=mine.requested_by, now=make.NOON)
    return "extended"


def most_at_once() -> tuple[int, int]:
    """Return the most units booked, and the most holds on one device, at any boundary."""
    live = [state.value for state in lifecycle.HOLDS_CAPACITY]
    rows = list(
        Reservation.objects.filter(state__in=live).values_list("starts_at", "ends_at", "units")
    )
    held = [
        (hold.device_id, hold.during.lower, hold.during.upper) for hold in DeviceHold.objects.all()
    ]
    instants = {row[0] for row in rows} | {row[1] for row in rows}
    units = max(sum(n for s, e, n in rows if s <= at < e) for at in instants)
    on_one = max(
        sum(device == other and lower <= at < upper for other, lower, upper in held)
        for device, _, _ in held
        for at in instants
    )
    return units, on_one


def test_at_no_instant_is_there_more_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "ADMISSION_LOCK_WAIT", timedelta(seconds=60))
    pool = make.pool(devices={SLICE: DEVICES})

    outcomes = at_once([client(pool, number) for number in range(CLIENTS)])

    happened = {word for words in outcomes for word in words}
    assert {"admitted", "extended", "canceled", "failed", "pool_full"} <= happened
    assert happened <= {
        *("admitted", "extended", "canceled", "failed"),
        *("pool_full", "cannot_extend", "stale", "busy"),
    }
    units, on_one_device = most_at_once()
    assert units <= DEVICES
    assert on_one_device == 1
    for each in Reservation.objects.prefetch_related("holds"):
        expected = each.units if each.is_live else 0
        assert [hold.during.upper for hold in each.holds.all()] == [each.ends_at] * expected


@pytest.mark.parametrize("constraint", [True, False])
def test_without_the_lock_two_grow_into_the_same_time(
    monkeypatch: pytest.MonkeyPatch, constraint: bool
) -> None:
    monkeypatch.setattr(locks, "hold_until_commit", lambda *_, **__: None)
    if not constraint:
        monkeypatch.setattr(holds, "hold", lambda *_: None)
    pool = make.pool(devices={SLICE: 1})
    mine = make.reservation(of=pool, at=make.window(1, 2))
    team = make.team()
    person = make.user(teams=[team])
    both_have_read = threading.Barrier(2)
    find_room, find_place = extension._find_room, under_lock.find_place  # noqa: SLF001

    def room_then_meet(*args: object) -> object:
        room = find_room(*args)  # type: ignore[arg-type]
        both_have_read.wait(timeout=20)
        return room

    def place_then_meet(*args: object) -> object:
        place = find_place(*args)  # type: ignore[arg-type]
        both_have_read.wait(timeout=20)
        return place

    monkeypatch.setattr(extension, "_find_room", room_then_meet)
    monkeypatch.setattr(under_lock, "find_place", place_then_meet)

    def grow() -> str:
        return _outcome(
            lambda: services.extend(
                reservation=Reservation.objects.get(pk=mine.pk),
                ends_at=make.at(4),
                actor=person,
                now=make.NOON,
            )
        )

    def book() -> str:
        booking = Booking(pool, team, person, make.wish(at=make.window(2, 4)), Terms(), make.NOON)
        return _outcome(lambda: admission.admit_by_moving_others(booking))

    outcomes = at_once([grow, book])

    assert sorted(outcomes) == (["done", "refused"] if constraint else ["done", "done"])


def _outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except (IntegrityError, OperationalError, locks.LockBusy):
        return "refused"
    return "done"


def test_with_two_in_a_tie_the_loser_can_book_what_is_offered() -> None:
    pool = make.pool()
    make.reservation(of=pool, at=make.window(0, 9), units=3)
    teams = [make.team(), make.team()]
    people = [make.user(teams=[team]) for team in teams]

    def book(number: int) -> Callable[[], services.PoolFull | None]:
        def action() -> services.PoolFull | None:
            try:
                services.admit(
                    pool=pool,
                    team=teams[number],
                    requested_by=people[number],
                    wish=make.wish(),
                    now=make.NOON,
                )
            except services.PoolFull as full:
                return full
            return None

        return action

    refusals = at_once([book(0), book(1)])

    ((number, full),) = ((n, each) for n, each in enumerate(refusals) if each is not None)
    assert full.nearest is not None
    (offer,) = full.alternatives
    for resource_name, units, window in (
        (offer.resource_name, offer.units, offer.window),
        (full.wish.resource_name, full.wish.units, full.nearest),
    ):
        booked = services.admit(
            pool=pool,
            team=teams[number],
            requested_by=people[number],
            wish=make.wish(resource_name=resource_name, units=units, at=window),
            now=make.NOON,
        )
        assert booked.window == window
