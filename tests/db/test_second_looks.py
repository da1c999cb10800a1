"""What is found moved when it is looked at again under the lock: booking, moving, reports."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gpuaas.accounts import services as accounts
from gpuaas.accounts.models import Membership, MembershipRole, User
from gpuaas.core import locks
from gpuaas.inventory.labels import NodeReport
from gpuaas.inventory.models import Node, Pool
from gpuaas.inventory.services import reports
from reservations import services
from reservations.lifecycle import State
from reservations.models import DeviceHold, PoolRules, Reservation, TeamLedger
from reservations.services import admission, in_one_call, line, rescheduling, under_lock, waitlist
from reservations.services.booking import Answer, Booking, Outcome, Terms
from tests import make
from tests.make import SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 2})


def test_a_team_whose_others_are_always_faster_is_asked_to_try_again(
    monkeypatch: pytest.MonkeyPatch, pool: Pool
) -> None:
    tried = []

    def moved(booking: Booking, **_: object) -> Answer:
        tried.append(booking)
        return Answer(Outcome.LEDGER_MOVED)

    monkeypatch.setattr(in_one_call, "admit", moved)

    with pytest.raises(locks.LockBusy):
        make.admitted(of=pool, wish=make.wish())
    assert len(tried) == admission.EVALUATIONS


def test_a_wish_that_was_booked_while_we_waited_is_not_booked_again(pool: Pool) -> None:
    wish, team = make.wish(), make.team()
    booked = make.admitted(of=pool, by=team, wish=wish)
    again = Booking(pool, team, booked.requested_by, wish, Terms(), make.NOON)

    answer = admission.admit_by_moving_others(again)

    assert (answer.outcome, answer.reservation) == (Outcome.ALREADY, booked)


def test_a_teams_first_limit_makes_its_ledger(pool: Pool) -> None:
    PoolRules.objects.create(pool=pool, concurrent_units=5)

    booked = make.admitted(of=pool, wish=make.wish())

    assert TeamLedger.objects.get().team == booked.team
    assert TeamLedger.objects.get().version == 1


def extend(mine: Reservation) -> Reservation:
    return services.extend(
        reservation=mine, ends_at=make.at(5), actor=mine.requested_by, now=make.at(1)
    )


def move(planned: Reservation) -> Reservation:
    wish = replace(services.wish_of(planned), window=make.window(8, 9))
    return services.move(
        reservation=planned,
        pool=planned.pool,
        wish=wish,
        actor=planned.requested_by,
        now=make.NOON,
    )


@pytest.fixture
def mine(pool: Pool) -> Reservation:
    return make.reservation(of=pool, at=make.window(0, 2), state=State.ACTIVE)


@pytest.mark.parametrize("times", [1, 5])
def test_an_extension_is_evaluated_anew_when_the_ledger_has_moved(
    monkeypatch: pytest.MonkeyPatch, mine: Reservation, times: int
) -> None:
    moved = iter([False] * times)
    monkeypatch.setattr(admission, "ledger_stands", lambda *_, **__: next(moved, True))

    if times < admission.EVALUATIONS:
        assert extend(mine).ends_at == make.at(5)
    else:
        with pytest.raises(locks.LockBusy):
            extend(mine)
        mine.refresh_from_db()
        assert mine.ends_at == make.at(2)


@pytest.mark.parametrize("times", [1, 5])
def test_a_move_is_evaluated_anew_when_the_ledger_has_moved(
    monkeypatch: pytest.MonkeyPatch, pool: Pool, times: int
) -> None:
    planned = make.reservation(of=pool, at=make.window(2, 4))
    moved = iter([False] * times)
    monkeypatch.setattr(rescheduling, "ledger_stands", lambda *_, **__: next(moved, True))

    if times < admission.EVALUATIONS:
        assert move(planned).window == make.window(8, 9)
    else:
        with pytest.raises(locks.LockBusy):
            move(planned)
        planned.refresh_from_db()
        assert planned.window == make.window(2, 4)


def test_a_move_looks_again_when_somebody_it_moves_has_left(
    monkeypatch: pytest.MonkeyPatch, pool: Pool
) -> None:
    locked = iter([False])
    monkeypatch.setattr(rescheduling, "lock_waiting", lambda _: next(locked, True))

    assert move(make.reservation(of=pool, at=make.window(2, 4))).window == make.window(8, 9)
    assert next(locked, None) is None


@pytest.mark.parametrize("waits", [True, False])
def test_a_line_holds_nothing_for_who_left_it_while_it_was_served(
    monkeypatch: pytest.MonkeyPatch, pool: Pool, waits: bool
) -> None:
    first = make.reservation(of=pool, state=State.WAITLISTED)

    def leave(booking: Booking) -> object:
        if not waits:
            Reservation.objects.filter(pk=first.pk).update(state=State.CANCELED)
        return under_lock.find_place(booking)

    monkeypatch.setattr(line, "find_place", leave)

    assert services.advance(pool=pool, now=make.NOON) == [first] * waits
    assert DeviceHold.objects.count() == waits


def test_a_wish_that_joined_the_line_while_we_waited_does_not_join_it_again(pool: Pool) -> None:
    make.reservation(of=pool, units=2)
    wish, team = make.wish(units=2), make.team()
    person = make.user(teams=[team])
    waits = services.book_or_wait(
        pool=pool, team=team, requested_by=person, wish=wish, now=make.NOON
    )

    again = waitlist._join(Booking(pool, team, person, wish, Terms(), make.NOON))  # noqa: SLF001 -- the race itself is a second wide

    assert again == waits
    assert Reservation.objects.filter(state=State.WAITLISTED).count() == 1


def test_an_extension_looks_again_when_somebody_it_moves_has_left(
    monkeypatch: pytest.MonkeyPatch, mine: Reservation
) -> None:
    locked = iter([False])
    monkeypatch.setattr(admission, "lock_waiting", lambda _: next(locked, True))

    assert extend(mine).ends_at == make.at(5)


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ({"approval_above_units": 1}, []),
        ({"approval_above_minutes": 60}, ["approval_needed"]),
        ({"longest_minutes": 120}, ["window_too_long"]),
    ],
)
def test_what_an_approver_set_aside_is_no_word_for_more_time(
    pool: Pool, rule: dict[str, int], refused: list[str]
) -> None:
    PoolRules.objects.create(pool=pool, **rule)
    mine = make.reservation(of=pool, at=make.window(0, 2), units=2, state=State.ACTIVE)
    mine.overridden = ["approval_needed", "window_too_long"]
    mine.save(update_fields=["overridden"])

    found = []
    try:
        extend(mine)
    except services.WishRefused as refusal:
        found = [problem.code for problem in refusal.problems]

    assert found == refused


def test_a_report_that_is_overtaken_by_a_newer_one_changes_nothing(pool: Pool) -> None:
    node = pool.nodes.get()
    Node.objects.filter(pk=node.pk).update(
        reported_devices={SLICE: 2}, reported_at=make.NOON + timedelta(minutes=1)
    )

    late = NodeReport(node.name, {SLICE: 1}, is_ready=True)
    assert reports.record_reports(cluster=pool.cluster, reports=[late], now=make.NOON) == ()
    assert Node.objects.get(pk=node.pk).reported_devices == {SLICE: 2}


def test_a_new_manager_needs_no_successor_and_one_of_two_teams_keeps_the_door() -> None:
    now = make.NOON
    vision, speech = make.team(), make.team()
    boss = make.user(teams=[vision], role=MembershipRole.MANAGER)
    member = make.user(teams=[vision])
    make.membership(of=speech, whose=member, role=MembershipRole.MANAGER)

    accounts.change_member(
        membership=member.memberships.get(team=vision),
        role=MembershipRole.MANAGER,
        expires_at=None,
        actor=boss,
        now=now,
    )
    Membership.objects.filter(user=member, team=vision).update(
        granted_at=now - timedelta(days=2), expires_at=now - timedelta(days=1)
    )

    assert accounts.drop_expired_grants(now=now) == 1
    assert User.objects.get(pk=member.pk).is_staff
