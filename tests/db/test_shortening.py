"""Ending earlier: who may, from when on, and what comes back."""

import pytest

from gpuaas.audit import selectors as audit
from gpuaas.notifications.models import OutboxMessage
from reservations import facts, history, services
from reservations.lifecycle import State
from reservations.models import DeviceHold, Reservation
from tests import make
from tests.make import SLICE

pytestmark = pytest.mark.django_db

PRICE = 1200


def booked(first: float = 2, last: float = 6, state: State = State.APPROVED) -> Reservation:
    pool = make.pool(devices={SLICE: 1})
    found = make.reservation(of=pool, at=make.window(first, last), state=state)
    Reservation.objects.filter(pk=found.pk).update(cost_minor=PRICE)
    found.refresh_from_db()
    return found


def shorten(of: Reservation, until: float, *, at: float = 0) -> Reservation:
    return services.shorten(
        reservation=of, ends_at=make.at(until), actor=of.requested_by, now=make.at(at)
    )


@pytest.mark.parametrize(
    ("state", "now"), [(State.APPROVED, 0), (State.APPROVED, 1.99), (State.ACTIVE, 3)]
)
def test_the_rest_is_free_at_once_and_costs_nothing(state: State, now: float) -> None:
    mine = booked(state=state)
    team = mine.team

    shorten(mine, 5, at=now)

    mine.refresh_from_db()
    assert (mine.ends_at, mine.state, mine.cost_minor) == (make.at(5), state, PRICE * 3 // 4)
    hold = mine.holds.get().during
    assert (hold.lower, hold.upper) == (make.at(2), make.at(5))
    assert facts.used_by(team, now=make.at(now)).spent_minor == PRICE * 3 // 4
    make.admitted(of=mine.pool, wish=make.wish(at=make.window(5, 6)), now=make.at(now))


def test_it_is_told_and_kept_with_what_was_before() -> None:
    mine = booked()

    shorten(mine, 5)

    (event,) = audit.history_of(mine.subject)
    entry = history.entry_of(at=event.at, action=event.action, data=event.data)
    assert entry.what == "Shortened"
    assert [str(each) for each in entry.changes] == [
        "end from 2026-03-01 18:00 UTC to 2026-03-01 17:00 UTC",
        "cost in cents from 1200 to 900",
    ]
    assert OutboxMessage.objects.get().event == "reservation.changed"


def test_the_version_counts_and_the_same_end_again_does_not() -> None:
    mine = booked()
    version = mine.version

    shorten(mine, 5)
    shorten(mine, 5)

    mine.refresh_from_db()
    assert mine.version == version + 1


@pytest.mark.parametrize(
    ("state", "until", "now", "code"),
    [
        pytest.param(State.APPROVED, 2.2, 0, "window_too_short", id="shorter-than-there-is"),
        pytest.param(State.APPROVED, 1, 0, "window_too_short", id="before-it-starts"),
        pytest.param(State.APPROVED, 7, 0, "not_shorter", id="later"),
        pytest.param(State.ACTIVE, 3, 4, "end_in_the_past", id="in-the-past"),
    ],
)
def test_an_end_that_cannot_be(state: State, until: float, now: float, code: str) -> None:
    mine = booked(state=state)

    with pytest.raises(services.WishRefused) as refused:
        shorten(mine, until, at=now)

    assert [problem.code for problem in refused.value.problems] == [code]
    assert Reservation.objects.get(pk=mine.pk).ends_at == make.at(6)


@pytest.mark.parametrize(
    ("state", "now"),
    [
        (State.COMPLETED, 3),
        (State.CANCELED, 3),
        (State.FAILED, 3),
        (State.ACTIVE, 6),
        (State.PENDING, 0),
    ],
)
def test_what_cannot_be_shortened(state: State, now: float) -> None:
    mine = booked()
    mine.state = state.value

    with pytest.raises(services.CannotChange):
        shorten(mine, 5, at=now)


def test_who_read_it_before_somebody_changed_it_looks_again() -> None:
    mine = booked()
    stale = Reservation.objects.get(pk=mine.pk)
    shorten(mine, 5)

    with pytest.raises(services.StaleReservation):
        shorten(stale, 4)

    assert DeviceHold.objects.get().during.upper == make.at(5)
