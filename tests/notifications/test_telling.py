"""What the life of a booking and of a membership puts into the outbox."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction

from gpuaas import tasks
from gpuaas.accounts.models import MembershipRole, OrganisationRole, User
from gpuaas.inventory import services as inventory
from gpuaas.inventory.models import DeviceState
from gpuaas.notifications import services as notifications
from gpuaas.notifications.models import Notice, OutboxMessage
from reservations import services
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions import services as sessions
from tests import make

pytestmark = pytest.mark.django_db


def told() -> list[str]:
    return list(OutboxMessage.objects.order_by("pk").values_list("event", flat=True))


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def person_told(event: str) -> set[User]:
    notifications.fan_out(now=make.NOON)
    found = Notice.objects.filter(message__event=event).select_related("person")
    return {notice.person for notice in found}


# --- moves -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_booking_is_told_under_its_number() -> None:
    booked = make.admitted(wish=make.wish())

    message = OutboxMessage.objects.get()
    assert message.key == f"reservation.approved:{booked.public_id}"
    assert (message.subject, message.team) == (booked.subject, booked.team)
    assert message.data == {
        "requested_by": booked.requested_by.pk,
        "pool": booked.pool.slug,
        "resource_name": make.SLICE,
        "units": 1,
        "purpose": "",
        "starts_at": "2026-03-01T13:00:00+00:00",
        "ends_at": "2026-03-01T17:00:00+00:00",
        "cost": "0.00 EUR",
    }
    assert person_told("reservation.approved") == {booked.requested_by}


def test_a_cancellation_by_somebody_else_is_told_to_whoever_booked() -> None:
    booked = make.reservation()
    manager = make.user(teams=[booked.team], role=MembershipRole.MANAGER)

    services.cancel(reservation=booked, actor=manager, now=make.NOON)

    assert person_told("reservation.canceled") == {booked.requested_by}


def test_ones_own_cancellation_is_not() -> None:
    booked = make.reservation()

    services.cancel(reservation=booked, actor=booked.requested_by, now=make.NOON)

    assert person_told("reservation.canceled") == set()


def test_a_failure_is_told_with_its_reason() -> None:
    booked = make.reservation()

    services.fail_missed(reservation=booked, now=make.at(6))

    message = OutboxMessage.objects.get()
    assert message.event == "reservation.failed"
    assert "could not start it" in message.data["reason"]


def test_the_whole_life_of_a_session_is_told() -> None:
    booked = make.reservation(at=make.window(0, 4))
    session = sessions.open_session(reservation=booked, now=make.NOON)
    sessions.record_ready(session=session, now=make.NOON)
    sessions.record_ready(session=session, now=make.at(1))
    sessions.close(session=session, now=make.at(4))

    assert told() == ["session.ready", "reservation.completed"]
    assert person_told("session.ready") == {booked.requested_by}


def test_a_change_that_does_not_come_to_be_is_not_told() -> None:
    booked = make.reservation()

    with transaction.atomic():
        services.cancel(reservation=booked, actor=booked.requested_by, now=make.NOON)
        transaction.set_rollback(True)

    assert told() == []


def test_a_failed_device_is_told_to_the_administrators_and_a_drained_one_to_nobody() -> None:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    one, other = make.node().devices.all()[:2]

    for device, state in ((one, DeviceState.FAILED), (other, DeviceState.DRAINING)):
        inventory.set_device_state(
            device=device, state=state, reason="XID 79", actor=None, now=make.NOON
        )

    assert told() == ["device.failed"]
    assert person_told("device.failed") == {admin}


# --- reminders ---------------------------------------------------------------------------------


def ending(booked: Reservation) -> list[int]:
    keys = OutboxMessage.objects.filter(
        event="reservation.ending", subject=booked.subject
    ).order_by("pk")
    return [int(key.rpartition(":")[2]) for key in keys.values_list("key", flat=True)]


def test_each_reminder_is_told_once_however_often_one_looks() -> None:
    booked = make.reservation(at=make.window(0, 4), state=State.ACTIVE)
    now = make.at(2)
    while now < make.at(4.5):
        services.remind(now=now)
        now += timedelta(seconds=50)

    assert ending(booked) == [60, 15, 5]


def test_of_marks_missed_in_an_outage_only_the_latest_is_told() -> None:
    booked = make.reservation(at=make.window(0, 4), state=State.ACTIVE)

    assert services.remind(now=make.at(4) - minutes(61)) == 0
    assert services.remind(now=make.at(4) - minutes(20)) == 0
    assert services.remind(now=make.at(4) - minutes(4)) == 1

    assert ending(booked) == [5]
    assert OutboxMessage.objects.get().data["minutes_left"] == 4


def test_when_the_deadline_moves_people_are_told_again() -> None:
    booked = make.reservation(at=make.window(0, 4), state=State.ACTIVE)
    services.remind(now=make.at(4) - minutes(15))
    Reservation.objects.filter(pk=booked.pk).update(ends_at=make.at(6))

    services.remind(now=make.at(4) - minutes(14))
    services.remind(now=make.at(6) - minutes(15))

    assert ending(booked) == [15, 15]


@pytest.mark.django_db(transaction=True)
def test_an_end_that_was_moved_by_its_owner_is_reminded_of_anew() -> None:
    booked = make.admitted(wish=make.wish(at=make.window(0, 4)))
    person = booked.requested_by
    services.transition(
        reservation=booked, target=State.ACTIVE, reason="", actor=None, now=make.NOON
    )
    services.remind(now=make.at(4) - minutes(15))
    services.extend(
        reservation=booked, ends_at=make.at(6), actor=person, now=make.at(4) - minutes(14)
    )
    services.remind(now=make.at(4) - minutes(13))
    services.shorten(
        reservation=booked, ends_at=make.at(5), actor=person, now=make.at(4) - minutes(12)
    )
    services.remind(now=make.at(5) - minutes(15))

    assert ending(booked) == [15, 15]
    deadlines = OutboxMessage.objects.filter(event="reservation.ending").order_by("pk")
    assert [each.data["ends_at"] for each in deadlines] == [
        make.at(4).isoformat(),
        make.at(5).isoformat(),
    ]


def test_a_start_is_told_before_it_and_not_for_what_was_canceled() -> None:
    booked = make.reservation(at=make.window(1, 4))
    canceled = make.reservation(at=make.window(1, 4), state=State.CANCELED)
    Reservation.objects.update(created_at=make.at(-24))

    assert services.remind(now=make.at(1) - minutes(10)) == 1
    assert OutboxMessage.objects.get().subject == booked.subject
    assert booked.subject != canceled.subject


# --- memberships -------------------------------------------------------------------------------


def test_who_gets_a_role_is_told_once() -> None:
    now = make.at(24)
    membership = make.membership(of=make.team(), whose=make.user())
    type(membership).objects.update(granted_at=make.at(23))

    assert [notifications.announce_memberships(now=now) for _ in range(2)] == [1, 0]
    assert person_told("membership.granted") == {membership.user}


def test_whose_role_ends_is_told_once_for_each_end() -> None:
    team, person = make.team(), make.user()
    make.membership(of=team, whose=person, expires_at=make.at(24))

    found = [notifications.announce_memberships(now=make.at(hour)) for hour in (-200, 0, 1, 25)]
    make.membership(of=team, whose=person, expires_at=make.at(48))
    found.append(notifications.announce_memberships(now=make.at(2)))

    assert found == [0, 1, 0, 0, 1]
    assert person_told("membership.ending") == {person}


def test_a_short_role_says_its_end_when_it_is_granted() -> None:
    membership = make.membership(of=make.team(), whose=make.user(), expires_at=make.at(24))
    type(membership).objects.update(granted_at=make.at(-1))

    assert notifications.announce_memberships(now=make.NOON) == 1
    assert told() == ["membership.granted"]


# --- the task ----------------------------------------------------------------------------------


def test_one_tick_after_an_hour_without_loses_none_and_repeats_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    booked = make.reservation()
    services.cancel(reservation=booked, actor=make.user(), now=make.NOON)
    clock = make.at(1)
    monkeypatch.setattr("gpuaas.tasks.timezone.now", lambda: clock)

    tasks.deliver_notices()
    tasks.deliver_notices()

    assert [letter.to for letter in mail.outbox] == [[booked.requested_by.email]]
    assert Notice.objects.get().person == booked.requested_by
