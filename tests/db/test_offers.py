"""What a refusal offers can be booked: rules of pool and team are kept."""

from datetime import time
from typing import Any

import pytest

from gpuaas.accounts.models import MembershipRole, Team, User
from gpuaas.inventory.models import Device, DeviceState, Pool
from reservations import services
from reservations.capacity import Window
from reservations.models import PoolRules, TeamRules
from reservations.services import offers
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make.team()


@pytest.fixture
def ada(team: Team) -> User:
    return make.user(teams=[team])


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 1, GPU: 1})


def book(pool: Pool, team: Team, ada: User, window: Window, **more: Any) -> None:
    services.admit(
        pool=pool,
        team=team,
        requested_by=ada,
        wish=make.wish(at=window),
        now=make.NOON,
        **more,
    )


def refused(pool: Pool, team: Team, ada: User, **more: Any) -> services.PoolFull:
    """Return what is said to who wants the one slice from one to three o'clock."""
    with pytest.raises(services.PoolFull) as refusal:
        book(pool, team, ada, make.window(1, 3), **more)
    return refusal.value


def quiet(pool: Pool, first_hour: int, last_hour: int) -> None:
    """Let no booking start in so many hours after noon."""
    PoolRules.objects.create(
        pool=pool, quiet_from=time(12 + first_hour), quiet_until=time(12 + last_hour)
    )


def test_not_in_quiet_hours(pool: Pool, team: Team, ada: User) -> None:
    quiet(pool, 3, 5)
    make.reservation(of=pool, at=make.window(1, 4))

    refusal = refused(pool, team, ada)

    assert refusal.nearest == make.window(5, 7)
    assert refusal.free_windows[0].starts_at == make.at(5)
    book(pool, team, ada, make.window(5, 7))


def test_without_rules_as_soon_as_there_is_room(pool: Pool, team: Team, ada: User) -> None:
    make.reservation(of=pool, at=make.window(1, 4))

    assert refused(pool, team, ada).nearest == make.window(4, 6)


def test_rules_that_point_nowhere_leave_nothing(pool: Pool, team: Team, ada: User) -> None:
    TeamRules.objects.create(team=team, horizon_days=1)
    make.reservation(of=pool, at=make.window(1, 30))

    refusal = refused(pool, team, ada)

    assert (refusal.nearest, refusal.free_windows) == (None, ())


def test_rules_that_point_ever_later_are_not_followed_for_ever(
    pool: Pool, team: Team, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet(pool, 3, 5)
    make.reservation(of=pool, at=make.window(1, 4))
    monkeypatch.setattr(offers, "TRIES", 1)

    refusal = refused(pool, team, ada)

    assert (refusal.nearest, refusal.free_windows) == (None, ())


def test_room_that_is_over_before_rules_allow_a_start_is_left_out(
    pool: Pool, team: Team, ada: User
) -> None:
    quiet(pool, 4, 6)
    for window in (make.window(1, 4), make.window(6.5, 9)):
        make.reservation(of=pool, at=window)

    refusal = refused(pool, team, ada)

    assert refusal.nearest == make.window(9, 11)
    assert [each.starts_at for each in refusal.free_windows] == [make.at(9)]


def test_the_same_on_another_type_only_where_it_is_allowed(
    pool: Pool, team: Team, ada: User
) -> None:
    make.reservation(of=pool, at=make.window(1, 4))
    assert GPU in {each.resource_name for each in refused(pool, team, ada).alternatives}
    # A whole GPU for two hours is two GPU-hours, a slice half of one.
    TeamRules.objects.create(team=team, gpu_hours_per_week=1)

    assert GPU not in {each.resource_name for each in refused(pool, team, ada).alternatives}


def test_what_was_set_aside_for_the_wish_is_set_aside_for_what_is_offered(
    pool: Pool, team: Team
) -> None:
    TeamRules.objects.create(team=team, longest_minutes=60)
    make.reservation(of=pool, at=make.window(1, 4))
    mona = make.user(teams=[team], role=MembershipRole.MANAGER)
    approval = services.Approval(by=mona, override=frozenset({"window_too_long"}), reason="demo")

    assert refused(pool, team, mona, approval=approval).nearest == make.window(4, 6)


def test_a_booking_in_trouble_is_not_offered_quiet_hours(pool: Pool) -> None:
    booked = make.reservation(of=pool, at=make.window(1, 3))
    spare = make.node(of=pool, devices={SLICE: 1})
    make.closure(of=spare, at=make.window(-1, 4))
    Device.objects.filter(pk=booked.holds.get().device_id).update(state=DeviceState.FAILED)
    services.heal(pool=pool, now=make.NOON)
    quiet(pool, 3, 5)

    found = services.offers_for(reservation=booked, now=make.NOON)

    later = [each.wish.window for each in found if each.wish.resource_name == SLICE]
    assert later == [make.window(5, 7)]


def test_the_old_booking_does_not_stand_against_its_exchange(pool: Pool) -> None:
    booked = make.reservation(of=pool, at=make.window(1, 3))
    TeamRules.objects.create(team=booked.team, concurrent_units=1)
    Device.objects.filter(pk=booked.holds.get().device_id).update(state=DeviceState.FAILED)
    services.heal(pool=pool, now=make.NOON)
    (offer,) = services.offers_for(reservation=booked, now=make.NOON)

    exchanged = services.accept_offer(
        reservation=booked, number=offer.number, actor=booked.requested_by, now=make.NOON
    )

    assert exchanged.resource_name == GPU
