"""Waiting in line: who is next is held what frees, takes it, passes it on or lets it lapse."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from gpuaas.accounts.models import Membership, OrganisationRole, Team, User
from gpuaas.audit import selectors as audit
from gpuaas.inventory.models import Device, DeviceState, Pool
from gpuaas.notifications.models import OutboxMessage
from reservations import facts, selectors, services
from reservations.lifecycle import PendingOn, State
from reservations.models import Reservation
from reservations.services import line, waitlist
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db
LAST, MINUTE = make.at(4), timedelta(minutes=1)


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 2, GPU: 1})


@pytest.fixture
def taken(pool: Pool) -> Reservation:
    """Both slices, from one to five o'clock."""
    return make.reservation(of=pool, units=2)


def wait(pool: Pool, *, by: Team | None = None, now: Any = make.NOON, **wish: Any) -> Reservation:
    by = by or make.team()
    return services.book_or_wait(
        pool=pool,
        team=by,
        requested_by=make.user(teams=[by]),
        wish=make.wish(**{"at": make.window(2, 4), **wish}),
        now=now,
    )


def free(reservation: Reservation, now: Any = make.NOON) -> None:
    services.cancel(reservation=reservation, actor=reservation.requested_by, now=now)


def states(*reservations: Reservation) -> list[str]:
    found = Reservation.objects.in_bulk([each.pk for each in reservations])
    return [found[each.pk].state for each in reservations]


def told(reservation: Reservation) -> list[str]:
    messages = OutboxMessage.objects.filter(subject=reservation.subject).order_by("pk")
    return [each.event for each in messages]


def test_what_has_room_is_booked_and_what_has_none_waits_and_holds_nothing(
    pool: Pool, taken: Reservation
) -> None:
    booked, waits = wait(pool, at=make.window(5, 6)), wait(pool)

    assert states(booked, waits) == [State.APPROVED, State.WAITLISTED]
    assert (waits.node, waits.holds.count(), waits.cost_minor) == (None, 0, 0)
    assert (told(waits), audit.history_of(waits.subject).get().action) == (
        [],
        "reservation.waitlisted",
    )
    assert facts.used_by(waits.team, now=make.at(3)).units_now == 0


def test_rules_refuse_as_ever_and_what_would_start_at_once_does_not_wait(
    pool: Pool, taken: Reservation
) -> None:
    with pytest.raises(services.WishRefused):
        wait(pool, units=9)
    with pytest.raises(services.PoolFull):
        wait(pool, at=make.window(1, 3), now=make.at(1))
    assert Reservation.objects.get() == taken


def test_the_same_wish_again_has_the_same_place(pool: Pool, taken: Reservation) -> None:
    team = make.team()
    asked: dict[str, Any] = {
        "pool": pool,
        "team": team,
        "requested_by": make.user(teams=[team]),
        "wish": make.wish(),
        "now": make.NOON,
    }
    assert services.book_or_wait(**asked) == services.book_or_wait(**asked)


def test_a_team_has_only_so_many_in_line(
    pool: Pool, taken: Reservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waitlist, "IN_LINE_AT_MOST", 1)
    team = make.team()
    wait(pool, by=team)

    with pytest.raises(services.WishRefused, match="the most"):
        wait(pool, by=team)
    wait(pool)


def test_what_frees_is_held_for_the_first_in_line(pool: Pool, taken: Reservation) -> None:
    first, second = wait(pool, units=2), wait(pool, units=2)
    assert services.advance(pool=pool, now=make.NOON) == []

    free(taken)
    assert services.advance(pool=pool, now=make.NOON) == [first]
    assert services.advance(pool=pool, now=make.NOON) == []

    held = Reservation.objects.get(pk=first.pk)
    assert (held.state, held.pending_on) == (State.PENDING, PendingOn.REQUESTER)
    assert held.held_until == make.NOON + line.HOLD
    assert held.holds.count() == 2
    assert told(held) == ["reservation.held"]
    assert states(second) == [State.WAITLISTED]
    with pytest.raises(services.PoolFull):
        make.admitted(of=pool, wish=make.wish(at=make.window(3, 4)))


def test_who_does_not_fit_does_not_hold_up_the_others(pool: Pool) -> None:
    one = make.reservation(of=pool)
    make.reservation(of=pool)
    large, small = wait(pool, units=2), wait(pool)

    free(one)
    services.advance(pool=pool, now=make.NOON)

    assert states(large, small) == [State.WAITLISTED, State.PENDING]


@pytest.mark.parametrize(("minutes", "until"), [(None, 30), (10, 10), (90, 60)])
def test_how_long_it_is_held_is_the_pools_to_say_and_never_beyond_the_start(
    pool: Pool, taken: Reservation, minutes: int | None, until: int
) -> None:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    services.set_pool_rules(
        pool=pool, changes={"hold_minutes": minutes}, actor=admin, now=make.NOON
    )
    wait(pool, at=make.window(1, 2))
    free(taken)

    (held,) = services.advance(pool=pool, now=make.NOON)

    assert held.held_until == make.NOON + until * MINUTE


def test_taken_in_time_it_is_booked(pool: Pool, taken: Reservation) -> None:
    wait(pool)
    free(taken)
    (held,) = services.advance(pool=pool, now=make.NOON)

    services.confirm(reservation=held, actor=held.requested_by, now=make.at(0.4))

    kept = Reservation.objects.get(pk=held.pk)
    assert (kept.state, kept.held_until, kept.holds.count()) == (State.APPROVED, None, 1)
    assert told(kept) == ["reservation.held", "reservation.approved"]


@pytest.mark.parametrize("service", [services.confirm, services.pass_on])
@pytest.mark.parametrize(
    ("state", "on", "at_hour", "refusal"),
    [
        (State.PENDING, PendingOn.REQUESTER, 0.5, services.HoldLapsed),
        (State.PENDING, PendingOn.APPROVER, 0, services.NotWaitingForThis),
        (State.WAITLISTED, PendingOn.REQUESTER, 0, services.NotWaitingForThis),
    ],
)
def test_a_word_that_comes_too_late_or_is_not_asked_for_changes_nothing(
    service: Callable[..., None],
    state: State,
    on: PendingOn,
    at_hour: float,
    refusal: type[Exception],
) -> None:
    made = make.reservation(state=state, pending_on=on, held_until=make.at(0.5))

    with pytest.raises(refusal):
        service(reservation=made, actor=made.requested_by, now=make.at(at_hour))
    assert states(made) == [state]


@pytest.mark.parametrize("way", ["passed on", "canceled", "lapsed", "rejected"])
def test_what_is_not_taken_goes_to_the_next_at_once(
    way: str,
    pool: Pool,
    taken: Reservation,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    first, second = wait(pool, units=2), wait(pool, units=2)
    free(taken)
    (held,) = services.advance(pool=pool, now=make.NOON)
    assert held == first
    if way == "rejected":
        Reservation.objects.filter(pk=held.pk).update(pending_on=PendingOn.APPROVER, approver=1)
        held.refresh_from_db()
    now = make.NOON + (line.HOLD if way == "lapsed" else MINUTE)
    asked: dict[str, Any] = {"reservation": held, "actor": admin, "now": now}

    with django_capture_on_commit_callbacks(execute=True):
        match way:
            case "passed on":
                services.pass_on(**asked)
            case "canceled":
                services.cancel(**asked)
            case "rejected":
                services.reject(**asked, reason="not now")
            case _:
                services.lapse_due(now=now)

    assert states(first, second) == [State.CANCELED, State.PENDING]


def test_a_tick_after_a_long_outage_misses_nothing_and_repeats_nothing(
    pool: Pool, taken: Reservation
) -> None:
    passed, lapses = wait(pool, at=make.window(1, 3)), wait(pool, at=make.window(3, 4), units=2)
    next_one = wait(pool, at=make.window(3.2, 4), units=2)
    free(taken)
    Reservation.objects.filter(pk=passed.pk).update(units=2)  # it never fitted beside the others
    Device.objects.filter(resource_name=SLICE).update(state=DeviceState.FAILED)
    assert services.tend(now=make.NOON) == []
    Device.objects.filter(resource_name=SLICE).update(state=DeviceState.IN_SERVICE)
    Reservation.objects.filter(pk=passed.pk).update(starts_at=make.at(0.1))

    assert services.tend(now=make.at(0.2)) == [lapses]
    assert services.tend(now=make.at(0.2)) == []
    assert services.tend(now=make.at(3)) == [next_one]
    assert services.tend(now=make.at(3)) == []

    assert states(passed, lapses, next_one) == [State.CANCELED, State.CANCELED, State.PENDING]
    assert told(passed) == ["reservation.hold_lapsed"]
    assert told(lapses) == ["reservation.held", "reservation.hold_lapsed"]


def test_one_pool_that_crashes_does_not_stop_the_others(
    pool: Pool, taken: Reservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait(pool)
    free(taken)
    monkeypatch.setattr(line, "serve", lambda **_: 1 / 0)

    assert services.tend(now=make.NOON) == []


@pytest.mark.parametrize("way", ["limit", "approval", "left the team", "nothing"])
def test_rules_are_looked_at_again_when_its_turn_comes(
    way: str, pool: Pool, taken: Reservation
) -> None:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    waits = wait(pool, units=2)
    team: Team = waits.team
    rules: dict[str, Any] = {
        "limit": {"concurrent_units": 1},
        "approval": {"approval_above_units": 1},
    }.get(way, {"concurrent_units": 2})
    services.set_team_rules(team=team, changes=rules, actor=admin, now=make.NOON)
    if way == "left the team":
        Membership.objects.filter(user=waits.requested_by).delete()
    free(taken)

    held = services.advance(pool=pool, now=make.NOON)

    expected = {"approval": PendingOn.APPROVER, "nothing": PendingOn.REQUESTER}.get(way)
    assert [each.pending_on for each in held] == ([expected] if expected else [])
    if way == "approval":
        assert told(waits) == ["reservation.pending"]
    if not expected:
        assert states(waits) == [State.WAITLISTED]


def test_who_comes_fresh_does_not_overtake_the_line(pool: Pool, taken: Reservation) -> None:
    waits = wait(pool, units=2)
    free(taken)  # nobody has looked at the line since

    with pytest.raises(services.PoolFull):
        make.admitted(of=pool, wish=make.wish(at=make.window(3, 4)))

    assert states(waits) == [State.PENDING]


def test_what_nobody_in_line_can_have_is_open_to_all(pool: Pool) -> None:
    one = make.reservation(of=pool)
    make.reservation(of=pool)
    waits = wait(pool, units=2)
    free(one)

    fresh = make.admitted(of=pool, wish=make.wish(at=make.window(3, 4)))
    elsewhen = make.admitted(of=pool, wish=make.wish(at=make.window(8, 9), units=2))

    assert states(waits, fresh, elsewhen) == [State.WAITLISTED, State.APPROVED, State.APPROVED]


def test_a_place_in_line_is_by_type_and_by_when_it_was_joined(
    pool: Pool, taken: Reservation, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make.reservation(of=pool, resource_name=GPU)
    first, gpu = wait(pool, now=make.NOON), wait(pool, resource_name=GPU, now=make.at(0.1))
    second = wait(pool, now=make.at(0.2))

    assert [selectors.queue_position(each) for each in (first, gpu, second, taken)] == [
        1,
        1,
        2,
        None,
    ]
    everything = selectors.with_queue_position(Reservation.objects.order_by("pk"))
    with django_assert_num_queries(1):
        found = {each.pk: selectors.queue_position(each) for each in everything}
    assert [found[each.pk] for each in (first, gpu, second)] == [1, 1, 2]
    free(first)
    assert selectors.queue_position(Reservation.objects.get(pk=second.pk)) == 1


def test_a_line_in_which_nothing_can_be_had_costs_four_queries_and_no_lock(
    pool: Pool, taken: Reservation, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        wait(pool)
    with django_assert_max_num_queries(6):
        services.advance(pool=pool, now=make.NOON)


def test_whose_person_left_the_line_is_not_held_anything(pool: Pool, taken: Reservation) -> None:
    waits = wait(pool)
    free(waits)
    free(taken)

    assert services.advance(pool=pool, now=make.NOON) == []
    assert (waits.state, waits.released_at) == (State.CANCELED, make.NOON)
    assert isinstance(waits.requested_by, User)


def test_a_long_line_is_served_bit_by_bit(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "AT_ONCE", 1)
    first, second = (make.reservation(of=pool, state=State.WAITLISTED) for _ in range(2))

    assert services.advance(pool=pool, now=make.NOON) == [first]
    assert services.advance(pool=pool, now=make.NOON) == [second]


@pytest.mark.parametrize("gone", ["find_place", "ledger_stands"])
def test_what_is_gone_at_the_second_look_is_not_held(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    waits = make.reservation(of=pool, state=State.WAITLISTED)
    Membership.objects.filter(user=waits.requested_by).update(expires_at=None)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(line, gone, lambda *_, **__: None)
        assert services.advance(pool=pool, now=make.NOON) == []

    assert services.advance(pool=pool, now=make.NOON) == [waits]


def test_who_leaves_the_line_while_it_is_tended_has_left_it(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = make.reservation(of=pool, at=make.window(1, 5), state=State.WAITLISTED)
    seen_before = [Reservation.objects.select_related("team", "pool").get(pk=waits.pk)]
    free(waits)
    monkeypatch.setattr(selectors, "waited_in_vain", lambda **_: seen_before)

    services.tend(now=make.at(2))

    assert told(waits) == ["reservation.canceled"]
