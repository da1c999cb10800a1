"""The audit trail is append-only, whoever writes."""

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import OrganisationRole, User
from gpuaas.audit import selectors, services
from gpuaas.audit.models import AuditEvent
from tests import make


def record(**data: object) -> None:
    services.record(
        "thing.happened", subject="thing:1", actor=None, at=make.NOON, team=None, **data
    )


@pytest.mark.django_db
def test_an_event_cannot_be_changed() -> None:
    record()

    with pytest.raises(DatabaseError, match="append-only: UPDATE"), transaction.atomic():
        AuditEvent.objects.update(action="nothing.happened")

    assert AuditEvent.objects.get().action == "thing.happened"


@pytest.mark.django_db
def test_an_event_cannot_be_deleted() -> None:
    record()

    with pytest.raises(DatabaseError, match="append-only: DELETE"), transaction.atomic():
        AuditEvent.objects.get().delete()

    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db
def test_not_even_by_sql() -> None:
    record()

    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE audit_auditevent SET actor_id = NULL")


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="in the transaction of its change"):
        record()


@pytest.mark.django_db
def test_a_history_is_of_one_subject_and_in_order() -> None:
    record(step=1)
    services.record("other.thing", subject="thing:2", actor=None, at=make.NOON)
    record(step=2)

    assert [event.data for event in selectors.history_of("thing:1")] == [{"step": 1}, {"step": 2}]
    assert str(selectors.history_of("thing:1")[0]) == "2026-03-01 12:00 thing.happened thing:1"


@pytest.mark.django_db
def test_who_sees_which_events() -> None:
    team, other = make.team(), make.team()
    for each in (team, other, None):
        services.record("thing.happened", subject="x", actor=None, at=make.NOON, team=each)
    admin = OrganisationRole.PLATFORM_ADMIN

    def seen_by(user: User) -> int:
        return accounts.events_visible_to(user, now=make.NOON).count()

    assert seen_by(make.user(teams=[team])) == 1
    assert seen_by(make.user()) == 0
    assert seen_by(make.user(organisation_role=OrganisationRole.FINANCE)) == 2
    assert seen_by(make.user(organisation_role=admin)) == 3
    assert seen_by(make.user(organisation_role=admin, is_active=False)) == 0
