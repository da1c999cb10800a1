"""Ending later: how far, at whose cost, and what is written."""

from datetime import timedelta

import pytest

from gpuaas.audit import selectors as audit
from gpuaas.inventory.models import Device, DeviceState, Pool
from gpuaas.notifications.models import OutboxMessage
from reservations import services
from reservations.answers import Bound, Extension
from reservations.lifecycle import State
from reservations.models import DeviceHold, Reservation, TeamRules, UnitPrice
from tests import make
from tests.make import SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 2})


def active(pool: Pool, first: float = 0, last: float = 2, units: int = 1) -> Reservation:
    return make.reservation(of=pool, at=make.window(first, last), units=units, state=State.ACTIVE)


def extend(of: Reservation, until: float | None, *, at: float = 1) -> Reservation:
    ends_at = None if until is None else make.at(until)
    return services.extend(reservation=of, ends_at=ends_at, actor=of.requested_by, now=make.at(at))


def longest(of: Reservation, *, at: float = 1) -> Extension:
    return services.longest_extension(reservation=of, now=make.at(at))


@pytest.mark.parametrize("state", [State.APPROVED, State.ACTIVE])
def test_it_ends_later_and_so_do_its_holds(pool: Pool, state: State) -> None:
    mine = make.reservation(of=pool, at=make.window(0, 2), units=2, state=state)
    devices = set(mine.holds.values_list("device", flat=True))

    extend(mine, 5)

    mine.refresh_from_db()
    assert (mine.ends_at, mine.state) == (make.at(5), state)
    assert {(h.device_id, h.during.upper) for h in mine.holds.all()} == {
        (pk, make.at(5)) for pk in devices
    }


def test_it_is_told_and_kept_in_the_trail(pool: Pool) -> None:
    mine = active(pool)

    extend(mine, 5)
    extend(mine, 6)

    trail = [e for e in audit.history_of(mine.subject) if e.action == "reservation.extended"]
    assert {(e.data["came_from"], e.data["ends_at"]) for e in trail} == {
        (make.at(2).isoformat(), make.at(5).isoformat()),
        (make.at(5).isoformat(), make.at(6).isoformat()),
    }
    assert OutboxMessage.objects.filter(event="reservation.extended").count() == 2


def test_the_same_end_again_changes_nothing(pool: Pool) -> None:
    mine = active(pool)

    assert extend(mine, 2).ends_at == make.at(2)
    assert not audit.history_of(mine.subject)


def test_a_booking_that_touches_its_end_stops_it(pool: Pool) -> None:
    mine, _ = active(pool, units=2), make.reservation(of=pool, at=make.window(2, 4))

    with pytest.raises(services.CannotExtend) as refusal:
        extend(mine, 3)

    assert refusal.value.until == make.at(2)
    assert refusal.value.because == Bound.BOOKED
    assert refusal.value.afterwards == make.window(4, 5)
    assert "the rest can be booked anew from 2026-03-01 16:00 UTC" in str(refusal.value)
    assert Reservation.objects.get(pk=mine.pk).ends_at == make.at(2)


def test_part_of_what_was_asked_is_offered_and_can_be_had(pool: Pool) -> None:
    mine, _ = active(pool, units=2), make.reservation(of=pool, at=make.window(4, 6))

    with pytest.raises(services.CannotExtend, match="until 2026-03-01 16:00 UTC"):
        extend(mine, 5)

    assert longest(mine) == Extension(make.at(4), Bound.BOOKED)
    assert extend(mine, None).ends_at == make.at(4)


def test_as_long_as_possible_where_nothing_is_possible_is_refused(pool: Pool) -> None:
    mine, _ = active(pool, units=2), make.reservation(of=pool, at=make.window(2, 4))

    with pytest.raises(services.CannotExtend, match="cannot end later"):
        extend(mine, None)


def test_a_booking_that_has_not_started_makes_way_to_another_device(pool: Pool) -> None:
    mine = active(pool)
    (device,) = (hold.device for hold in mine.holds.all())
    other = make.reservation(of=pool, at=make.window(3, 5), devices=[device])

    extend(mine, 6)

    assert mine.holds.get().device == device
    assert other.holds.get().device != device


def test_alone_it_can_be_as_long_as_any_booking(pool: Pool) -> None:
    mine = active(pool)

    assert extend(mine, None).window.length == timedelta(days=14)
    assert longest(mine) == Extension(mine.ends_at, Bound.LONGEST)


@pytest.mark.parametrize(
    ("limits", "until"),
    [
        ({"budget_minor": 350}, 5.5),  # three hours and a half, at one euro an hour
        ({"gpu_hours_per_week": 2}, 8),  # of a quarter of a GPU, two of them are booked
        ({"approval_above_minutes": 4 * 60}, 4),
        ({"longest_minutes": 3 * 60}, 3),
    ],
)
def test_as_long_as_possible_is_as_long_as_rules_and_budget_allow(
    pool: Pool, limits: dict[str, int], until: float
) -> None:
    mine = active(pool)
    money = {"currency": "EUR"} if "budget_minor" in limits else {}
    TeamRules.objects.create(team=mine.team, **limits, **money)
    UnitPrice.objects.create(
        pool=pool,
        resource_name=SLICE,
        minor_units_per_unit_hour=100,
        currency="EUR",
        valid_from=make.at(-9),
        set_at=make.at(-9),
    )
    bound = Bound.LONGEST if "longest_minutes" in limits else Bound.RULES

    assert longest(mine) == Extension(make.at(until), bound)
    assert extend(mine, None).ends_at == make.at(until)
    assert longest(mine).until == mine.ends_at


def test_where_rules_allow_no_more_they_say_so(pool: Pool) -> None:
    mine = active(pool)
    TeamRules.objects.create(team=mine.team, concurrent_units=0)

    assert longest(mine) == Extension(make.at(2), Bound.RULES)
    with pytest.raises(services.WishRefused) as refusal:
        extend(mine, None)
    assert [each.code for each in refusal.value.problems] == ["too_many_units_at_once"]


def test_a_closure_bounds_it(pool: Pool) -> None:
    make.closure(of=pool, at=make.window(4, 5))

    assert longest(active(pool)) == Extension(make.at(4), Bound.CLOSED)


def test_on_a_device_out_of_service_it_is_not_extended(pool: Pool) -> None:
    mine = active(pool)
    Device.objects.filter(pk=mine.holds.get().device_id).update(state=DeviceState.DRAINING)

    assert longest(mine) == Extension(make.at(2), Bound.OUT_OF_SERVICE)


def test_on_a_node_out_of_service_it_is_not_extended(pool: Pool) -> None:
    mine = active(pool)
    pool.nodes.update(is_schedulable=False)

    with pytest.raises(services.CannotExtend, match="out of service"):
        extend(mine, 3)


@pytest.mark.parametrize(
    ("until", "code"), [(1.5, "not_an_extension"), (24 * 14 + 1, "window_too_long")]
)
def test_rules_speak_first(pool: Pool, until: float, code: str) -> None:
    with pytest.raises(services.WishRefused) as refusal:
        extend(active(pool), until)

    assert [problem.code for problem in refusal.value.problems] == [code]


@pytest.mark.parametrize(
    ("state", "now"), [(State.CANCELED, 1), (State.COMPLETED, 1), (State.ACTIVE, 2)]
)
def test_what_is_over_is_not_extended(pool: Pool, state: State, now: float) -> None:
    mine = make.reservation(of=pool, at=make.window(0, 2), state=state)

    with pytest.raises(services.CannotExtend, match="it is over"):
        extend(mine, 5, at=now)


def test_of_two_who_extend_one_has_seen_the_other(pool: Pool) -> None:
    mine = active(pool)
    copy = Reservation.objects.get(pk=mine.pk)
    extend(mine, 3)

    with pytest.raises(services.StaleReservation):
        extend(copy, 5)


def test_one_that_ended_meanwhile_is_not_extended(pool: Pool) -> None:
    mine = active(pool)
    copy = Reservation.objects.get(pk=mine.pk)
    services.cancel(reservation=mine, actor=mine.requested_by, now=make.at(1))

    with pytest.raises(services.StaleReservation):
        extend(copy, 5)


def test_one_whose_session_is_being_stopped_is_not_extended(pool: Pool) -> None:
    mine = active(pool)
    services.begin_end(reservation=Reservation.objects.get(pk=mine.pk), now=make.at(2))

    with pytest.raises(services.StaleReservation):
        extend(mine, 5)
    assert DeviceHold.objects.get().during.upper == make.at(2)


def test_one_that_was_extended_is_not_stopped_by_who_had_not_seen_it(pool: Pool) -> None:
    mine = active(pool)
    copy = Reservation.objects.get(pk=mine.pk)
    extend(mine, 5)

    with pytest.raises(services.StaleReservation):
        services.begin_end(reservation=copy, now=make.at(2))
    with pytest.raises(services.StaleReservation):
        services.cancel(reservation=copy, actor=copy.requested_by, now=make.at(2))


def test_the_end_of_what_is_not_live_needs_no_note(pool: Pool) -> None:
    over = make.reservation(of=pool, state=State.CANCELED)

    services.begin_end(reservation=over, now=make.at(2))

    assert Reservation.objects.get(pk=over.pk).end_begun_at is None
