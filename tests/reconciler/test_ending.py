"""Before a session is stopped its people are warned: by the loop itself, once for each mark."""

from datetime import timedelta

import pytest

from gpuaas.notifications.models import OutboxMessage
from reservations.models import Reservation
from sessions.models import SessionState, WorkspaceSession
from tests import make
from tests.reconciler.conftest import Installation

HOUR = timedelta(hours=1)


@pytest.fixture
def booking(installation: Installation) -> Reservation:
    booking = make.reservation(of=installation.pool, at=make.window(0, 4))
    installation.reconcile()
    return booking


def warnings(booking: Reservation) -> list[str]:
    session = WorkspaceSession.objects.get(reservation=booking)
    said = session.events.filter(message__startswith="It ends at")
    return list(said.values_list("message", flat=True))


def messages() -> int:
    return OutboxMessage.objects.filter(event="reservation.ending").count()


def test_an_end_that_is_near_is_told_once_a_mark(
    installation: Installation, booking: Reservation
) -> None:
    for minutes_left in (61, 59, 58, 14, 13, 4, 3):
        installation.now = booking.ends_at - timedelta(minutes=minutes_left)
        installation.reconcile()
        assert installation.reconcile().changes == []

    assert warnings(booking) == [
        f"It ends at 16:00 UTC, in less than {mark} minutes: save what you need"
        for mark in (60, 15, 5)
    ]
    assert messages() == 3


def test_the_warning_comes_before_the_stop(
    installation: Installation, booking: Reservation
) -> None:
    session = WorkspaceSession.objects.get(reservation=booking)
    installation.now = booking.ends_at - timedelta(minutes=4)

    assert installation.reconcile().changes == [f"warn {session} of its end"]
    installation.at(4).reconcile()

    session.refresh_from_db()
    assert session.state == SessionState.ENDED
    said = list(session.events.values_list("message", flat=True))
    assert said.index(warnings(booking)[0]) < said.index("The session ends: removing the workspace")


def test_an_extended_session_is_warned_of_its_new_end(
    installation: Installation, booking: Reservation
) -> None:
    installation.now = booking.ends_at - timedelta(minutes=4)
    installation.reconcile()
    Reservation.objects.filter(pk=booking.pk).update(ends_at=booking.ends_at + HOUR)
    assert installation.reconcile().changes == [
        f"apply Namespace {WorkspaceSession.objects.get(reservation=booking)}"
    ]
    installation.now = booking.ends_at + timedelta(minutes=56)

    installation.reconcile()

    assert [line.split()[3] for line in warnings(booking)] == ["16:00", "17:00"]


def test_a_dry_run_warns_nobody(installation: Installation, booking: Reservation) -> None:
    installation.now = booking.ends_at - timedelta(minutes=4)

    assert len(installation.reconcile(dry_run=True).changes) == 1
    assert (warnings(booking), messages()) == ([], 0)
