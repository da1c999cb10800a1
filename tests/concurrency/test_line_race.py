"""Two words about one hold; two who serve one line."""

from collections.abc import Callable
from typing import Any

import pytest

from gpuaas.accounts.models import OrganisationRole
from gpuaas.core import errors, locks
from gpuaas.notifications.models import OutboxMessage
from reservations import services
from reservations.lifecycle import PendingOn, State
from reservations.models import DeviceHold, Reservation
from reservations.services import line
from tests import make
from tests.concurrency.threads import at_once
from tests.make import SLICE

pytestmark = pytest.mark.django_db(transaction=True)
UNTIL = make.at(0.5)
JUST_IN_TIME = make.at(0.499)


def outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except errors.DomainError as refused:
        return refused.code
    return "done"


def copy_of(reservation: Reservation) -> Reservation:
    related = Reservation.objects.select_related("team", "pool", "requested_by")
    return related.get(pk=reservation.pk)


def lapse(reservation: Reservation) -> Callable[[], str]:
    return lambda: "done" if services.lapse_due(now=UNTIL) else "stale"


def saying(service: Callable[..., None], **more: Any) -> Callable[[Reservation], Callable[[], str]]:
    def action(reservation: Reservation) -> Callable[[], str]:
        mine = copy_of(reservation)
        actor = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
        asked = {"reservation": mine, "actor": actor, "now": JUST_IN_TIME, **more}
        return lambda: outcome(lambda: service(**asked))

    return action


APPROVE, REJECT = saying(services.approve), saying(services.reject, reason="no")
CONFIRM, PASS, CANCEL = saying(services.confirm), saying(services.pass_on), saying(services.cancel)


@pytest.mark.parametrize(
    ("on", "one", "other"),
    [
        (PendingOn.APPROVER, APPROVE, lapse),
        (PendingOn.APPROVER, APPROVE, REJECT),
        (PendingOn.APPROVER, APPROVE, APPROVE),
        (PendingOn.APPROVER, REJECT, CANCEL),
        (PendingOn.REQUESTER, CONFIRM, lapse),
        (PendingOn.REQUESTER, CONFIRM, CONFIRM),
        (PendingOn.REQUESTER, CONFIRM, PASS),
        (PendingOn.REQUESTER, PASS, lapse),
    ],
)
@pytest.mark.parametrize("repeat", range(3))
def test_of_two_words_about_one_hold_one_counts(
    on: PendingOn, one: Any, other: Any, repeat: int
) -> None:
    held = make.reservation(state=State.PENDING, pending_on=on, held_until=UNTIL)

    outcomes = at_once([one(held), other(held)])

    assert sorted(outcomes) == ["done", "stale"]
    kept = copy_of(held)
    assert kept.state in (State.APPROVED, State.CANCELED)
    assert kept.holds.exists() == (kept.state == State.APPROVED)
    assert OutboxMessage.objects.filter(subject=held.subject).count() == 1


def test_many_who_serve_a_line_hold_it_once() -> None:
    pool = make.pool(devices={SLICE: 2})
    waiting = [make.reservation(of=pool, units=2, state=State.WAITLISTED) for _ in range(3)]

    held = at_once([lambda: services.advance(pool=pool, now=make.NOON)] * 4)

    assert [each.pk for found in held for each in found] == [waiting[0].pk]
    assert DeviceHold.objects.count() == 2
    assert OutboxMessage.objects.filter(event="reservation.held").count() == 1


@pytest.mark.parametrize("repeat", range(3))
def test_what_frees_goes_to_the_line_whoever_else_comes(repeat: int) -> None:
    pool, team = make.pool(devices={SLICE: 2}), make.team()
    taken = make.reservation(of=pool, units=2)
    person = make.user(teams=[team])
    waits = make.reservation(of=pool, by=team, requested_by=person, state=State.WAITLISTED, units=2)

    def fresh() -> str:
        mine = make.user(teams=[team])
        return outcome(
            lambda: services.admit(
                pool=pool, team=team, requested_by=mine, wish=make.wish(), now=make.NOON
            )
        )

    at_once([CANCEL(taken), fresh, fresh, fresh])

    assert copy_of(waits).state == State.PENDING
    assert not Reservation.objects.filter(state=State.APPROVED).exists()


def test_who_leaves_the_line_and_is_served_at_once_holds_nothing_twice() -> None:
    pool = make.pool(devices={SLICE: 1})
    waits = make.reservation(of=pool, state=State.WAITLISTED)
    cancel = saying(services.cancel)(waits)

    at_once([cancel, lambda: services.advance(pool=pool, now=make.NOON)])

    kept = copy_of(waits)
    assert kept.state in (State.CANCELED, State.PENDING)
    assert DeviceHold.objects.count() == (1 if kept.state == State.PENDING else 0)


def test_a_line_of_a_busy_pool_is_served_another_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make.pool(devices={SLICE: 1})
    waits = make.reservation(of=pool, state=State.WAITLISTED)

    def busy(*_: object, **__: object) -> None:
        raise locks.LockBusy("others are booking")

    with monkeypatch.context() as while_busy:
        while_busy.setattr(locks, "hold_until_commit", busy)
        services.room_made(pool=pool, now=make.NOON)  # says nothing
        assert services.tend(now=make.NOON) == []

    assert services.tend(now=make.NOON) == [waits]


def test_a_line_that_crashes_is_served_another_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make.pool(devices={SLICE: 1})
    waits = make.reservation(of=pool, state=State.WAITLISTED)
    with monkeypatch.context() as while_broken:
        while_broken.setattr(line, "serve", lambda **_: 1 / 0)
        services.room_made(pool=pool, now=make.NOON)

    assert services.tend(now=make.NOON) == [waits]
