"""The outbox: what is told is written with its change, or not at all."""

import pytest
from django.db import connection, transaction

from gpuaas.accounts.models import Team
from gpuaas.notifications import services
from gpuaas.notifications.models import OutboxMessage
from tests import make


def announce(*, key: str = "reservation.failed:1", team: Team | None = None) -> None:
    services.announce(
        "reservation.failed",
        key=key,
        subject="reservation:1",
        team=team,
        at=make.NOON,
        data={"reason": "the node lost power"},
    )


@pytest.mark.django_db
def test_a_message_keeps_what_it_was_told() -> None:
    team = make.team()

    announce(team=team)

    told = OutboxMessage.objects.get()
    assert (told.key, told.event, told.subject) == (
        "reservation.failed:1",
        "reservation.failed",
        "reservation:1",
    )
    assert (told.team, told.created_at, told.fanned_out_at) == (team, make.NOON, None)
    assert told.data == {"reason": "the node lost power"}


@pytest.mark.django_db
def test_the_same_key_is_told_once() -> None:
    announce()
    announce()

    assert OutboxMessage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_told() -> None:
    with pytest.raises(RuntimeError, match="in the transaction of the change"):
        announce()


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_is_not_told() -> None:
    with transaction.atomic():
        announce()
        transaction.set_rollback(True)

    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db
def test_a_row_written_by_the_database_itself_needs_no_more_than_its_facts() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notifications_outboxmessage (key, event, subject, data, created_at)"
            " VALUES ('a', 'reservation.approved', 'reservation:1', '{}', now())"
        )

    assert OutboxMessage.objects.get().fanned_out_at is None
