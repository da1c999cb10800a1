"""The trail forgets from its beginning on, says so in itself, and holds from there."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.utils import timezone
from pytest_django.fixtures import Settings

from gpuaas import checks, tasks
from gpuaas.audit import selectors, services
from gpuaas.audit.chain import START, Fault, Head
from gpuaas.audit.models import AuditEvent, AuditLink
from tests import audits, make
from tests.db.test_audit_chain import verify

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NOW = make.NOON + 200 * DAY
BEFORE = make.NOON + 60 * DAY


@pytest.fixture
def trail() -> list[AuditEvent]:
    """Return six events: five old ones, among them one out of order, and a young one."""
    for days in (0, 1, 59, 61, 2, 150):
        with transaction.atomic():
            services.record(
                "thing.happened", subject="x", actor=None, at=make.NOON + days * DAY, day=days
            )
    connection.check_constraints()  # the links are written as at a commit
    return list(AuditEvent.objects.order_by("pk"))


def tamper(statement: str) -> None:
    with audits.forging() as cursor:
        cursor.execute(statement)


def forget() -> int:
    gone = services.forget(before=BEFORE, now=NOW)
    connection.check_constraints()
    return gone


def days_left() -> list[int]:
    return [
        each.data["day"]
        for each in AuditEvent.objects.filter(action="thing.happened").order_by("pk")
    ]


def test_what_is_old_goes_from_the_beginning_up_to_what_is_to_be_kept(
    trail: list[AuditEvent],
) -> None:
    digest = selectors.head_at(3)
    assert digest is not None

    assert forget() == 3

    assert days_left() == [61, 2, 150]  # an old one after a young one waits for it
    said = AuditEvent.objects.get(action="audit.forgotten")
    assert said.data == {
        "through": 3,
        "digest": digest.digest.hex(),
        "events": 3,
        "before": "2026-04-30T12:00:00Z",
    }
    assert said.at == NOW
    assert not AuditLink.objects.filter(position__lte=3).exists()


@pytest.mark.usefixtures("trail")
def test_the_rest_is_verified_from_there_on() -> None:
    forget()

    code, said, _ = verify()

    assert code == 0
    assert "4 events from position 4 on are as they were written" in said
    assert selectors.beginning().position == 3


@pytest.mark.usefixtures("trail")
def test_a_head_from_before_proves_nothing_any_more_and_one_from_after_does() -> None:
    old, young = selectors.head_at(2), selectors.head_at(4)
    forget()

    assert verify(f"--expect={young}")[0] == 0
    with pytest.raises(Exception, match="lies before position 4, the first to be read"):
        verify(f"--expect={old}")
    with pytest.raises(Exception, match="there is no position 1 to start after"):
        verify("--from=2")


@pytest.mark.usefixtures("trail")
def test_a_change_after_the_beginning_is_found() -> None:
    forget()
    tamper("UPDATE audit_auditevent SET subject = 'y' WHERE data->>'day' = '61'")

    assert verify()[0] == 1


@pytest.mark.usefixtures("trail")
def test_a_false_digest_of_the_beginning_is_found() -> None:
    forget()
    tamper(
        "UPDATE audit_auditevent SET data = jsonb_set(data, '{digest}', '\"00\"')"
        " WHERE action = 'audit.forgotten'"
    )

    assert verify()[0] == 1


@pytest.mark.usefixtures("trail")
def test_links_that_go_without_a_word_are_found() -> None:
    tamper("DELETE FROM audit_auditlink WHERE position <= 2")

    assert selectors.beginning() == START
    reached, finding = selectors.verified(after=selectors.beginning(), kept={})
    assert reached == Head(0, b"")
    assert finding is not None
    assert finding.fault is Fault.LINKS_REMOVED


@pytest.mark.usefixtures("trail")
def test_it_goes_on_where_it_was_and_says_so_again() -> None:
    forget()

    assert services.forget(before=make.NOON + 100 * DAY, now=NOW) == 2
    connection.check_constraints()

    assert days_left() == [150]
    assert AuditEvent.objects.filter(action="audit.forgotten").count() == 2
    assert verify()[0] == 0
    assert services.forget(before=make.NOON + 100 * DAY, now=NOW) == 0


@pytest.mark.usefixtures("trail")
def test_the_last_link_stays_for_the_next_one() -> None:
    assert services.forget(before=make.NOON + 110 * DAY, now=NOW) == 5
    later = NOW + 400 * DAY
    connection.check_constraints()

    # Of the young one and of what was said, only the last is left.
    assert services.forget(before=later - 90 * DAY, now=later) == 1
    connection.check_constraints()

    assert verify()[0] == 0
    assert days_left() == []


@pytest.mark.usefixtures("trail")
def test_a_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "FORGOTTEN_AT_ONCE", 2)

    assert [forget(), forget(), forget()] == [2, 1, 0]
    assert verify()[0] == 0


def test_of_an_empty_trail_nothing_is_forgotten() -> None:
    assert forget() == 0


@pytest.mark.usefixtures("trail")
def test_what_is_young_is_never_forgotten() -> None:
    with pytest.raises(ValueError, match="the last 90 days are kept"):
        services.forget(before=NOW - 89 * DAY, now=NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_auditevent",
        "DELETE FROM audit_auditlink",
        "DELETE FROM audit_auditlink WHERE position = 4",
        "UPDATE audit_auditlink SET position = 0 WHERE position = 4",
    ],
)
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.usefixtures("trail")
def test_nothing_else_may_go(statement: str, *, first: bool) -> None:
    if first:
        forget()

    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)


# --- the task and its setting ---------------------------------------------------------------------


@pytest.mark.usefixtures("trail")
def test_by_default_the_trail_is_kept_for_good() -> None:
    tasks.forget_audit_events()

    assert AuditEvent.objects.count() == 6


@pytest.mark.usefixtures("trail")
def test_the_task_forgets_what_the_setting_says(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KEEP_AUDIT_DAYS = 140
    monkeypatch.setattr(timezone, "now", lambda: NOW)

    tasks.forget_audit_events()

    assert days_left() == [61, 2, 150]


@pytest.mark.parametrize(("days", "count"), [(0, 0), (90, 0), (89, 1), (-1, 1)])
def test_a_setting_that_forgets_too_soon_is_an_error(
    days: int, count: int, settings: Settings
) -> None:
    settings.KEEP_AUDIT_DAYS = days

    found = checks.trail_is_kept_long_enough()

    assert [each.id for each in found] == ["gpuaas.E007"] * count
