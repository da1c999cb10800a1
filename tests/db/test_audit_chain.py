"""The chain over the audit trail: it covers every event, and shows every kind of tampering."""

import importlib
import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import DatabaseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuaas import tasks
from gpuaas.audit import selectors, services
from gpuaas.audit.chain import START, Fault, Head
from gpuaas.audit.models import AuditEvent, AuditLink
from tests import audits, make

pytestmark = pytest.mark.django_db

EVENTS = 6


@pytest.fixture
def numbers() -> list[int]:
    """Six events in the chain, by their numbers."""
    audits.write(EVENTS)
    return list(AuditLink.objects.order_by("position").values_list("event_id", flat=True))


def verify(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out, stderr=err)
    except SystemExit as left:
        return int(str(left.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_an_untouched_trail_holds_and_says_its_head(numbers: list[int]) -> None:
    code, said, _ = verify()

    assert code == 0
    assert "6 events from position 1 on are as they were written" in said
    assert f"head {selectors.head()}" in said
    assert numbers == sorted(numbers)


def test_an_empty_trail_holds() -> None:
    assert verify()[0] == 0
    assert selectors.head() == START


def test_events_of_one_transaction_and_of_the_admission_function_are_in_it() -> None:
    make.admitted(wish=make.wish())
    with transaction.atomic():
        services.record("thing.happened", subject="x", actor=None, at=make.NOON, team=make.team())
        services.record("thing.happened", subject="x", actor=make.user(), at=make.NOON)
    connection.check_constraints()

    head, finding = audits.verified()

    assert finding is None
    assert head.position == AuditEvent.objects.count() >= 2


CHANGES = {
    "at": "UPDATE audit_auditevent SET at = at + interval '1 microsecond' WHERE id = %(third)s",
    "action": "UPDATE audit_auditevent SET action = 'x' WHERE id = %(third)s",
    "subject": "UPDATE audit_auditevent SET subject = 'thing:2' WHERE id = %(third)s",
    "actor": "UPDATE audit_auditevent SET actor_id = 7 WHERE id = %(third)s",
    "team": "UPDATE audit_auditevent SET team_id = 7 WHERE id = %(third)s",
    "data": "UPDATE audit_auditevent SET data = '{\"number\": 3}' WHERE id = %(third)s",
    "moved between fields": (
        "UPDATE audit_auditevent SET action = 'thing.happenedt', subject = 'hing:1'"
        " WHERE id = %(third)s"
    ),
    "digest": "UPDATE audit_auditlink SET digest = sha256('x') WHERE position = 3",
    "swapped": (
        "UPDATE audit_auditlink SET event_id = CASE position WHEN 3 THEN -1 ELSE %(third)s END"
        " WHERE position IN (3, 5);"
        "UPDATE audit_auditlink SET event_id = %(fifth)s WHERE position = 3"
    ),
}


@pytest.mark.parametrize(
    ("forgery", "fault", "position"),
    [
        *(pytest.param(each, Fault.CHANGED, 3, id=name) for name, each in CHANGES.items()),
        pytest.param(
            "DELETE FROM audit_auditevent WHERE id = %(third)s",
            Fault.EVENT_REMOVED,
            3,
            id="event removed",
        ),
        pytest.param(
            "DELETE FROM audit_auditlink WHERE position = 3",
            Fault.LINKS_REMOVED,
            3,
            id="link removed",
        ),
        pytest.param(
            "DELETE FROM audit_auditevent WHERE id = %(third)s;"
            "DELETE FROM audit_auditlink WHERE position = 3;",
            Fault.LINKS_REMOVED,
            3,
            id="both removed",
        ),
        pytest.param(
            "DELETE FROM audit_auditevent WHERE id = %(third)s;"
            "DELETE FROM audit_auditlink WHERE position = 3;"
            "UPDATE audit_auditlink SET position = -position WHERE position > 3;"
            "UPDATE audit_auditlink SET position = -position - 1 WHERE position < 0;",
            Fault.CHANGED,
            3,
            id="removed, and the gap closed",
        ),
        pytest.param(
            "DELETE FROM audit_auditlink WHERE position = 1", Fault.LINKS_REMOVED, 1, id="beginning"
        ),
        pytest.param(
            "INSERT INTO audit_auditevent (at, action, subject, data)"
            " VALUES (now(), 'thing.happened', 'thing:1', '{}')",
            Fault.NOT_LINKED,
            None,
            id="put in past the chain",
        ),
        pytest.param(
            "DELETE FROM audit_auditlink WHERE position = 6",
            Fault.NOT_LINKED,
            None,
            id="last link removed",
        ),
        pytest.param(
            "UPDATE audit_auditlink SET position = -position WHERE position > 2;"
            "UPDATE audit_auditlink SET position = -position + 1 WHERE position < 0;"
            "INSERT INTO audit_auditevent (id, at, action, subject, data)"
            " VALUES (-1, now(), 'thing.happened', 'thing:1', '{}');"
            "INSERT INTO audit_auditlink (position, event_id, digest) SELECT 3, -1,"
            " sha256(digest || (SELECT audit_bytes(e) FROM audit_auditevent e WHERE id = -1))"
            " FROM audit_auditlink WHERE position = 2",
            Fault.CHANGED,
            4,  # the third fits to the second: what it pushed away does not fit any more
            id="put in between",
        ),
    ],
)
def test_tampering_is_found_and_placed(
    numbers: list[int], forgery: str, fault: Fault, position: int | None
) -> None:
    with audits.forging() as cursor:
        cursor.execute(forgery, {"third": numbers[2], "fifth": numbers[4]})

    reached, finding = audits.verified()
    code, said, complaint = verify()

    assert finding is not None
    assert (finding.fault, finding.position) == (fault, position)
    assert reached.position == (EVENTS if position is None else position - 1) or fault == (
        Fault.NOT_LINKED
    )
    assert code == 1
    assert complaint.startswith(f"{fault}")
    assert "head" not in said


def test_a_tail_that_is_cut_off_shows_against_a_head_that_was_kept() -> None:
    audits.write(EVENTS)
    kept = selectors.head()
    with audits.forging() as cursor:
        cursor.execute(
            "DELETE FROM audit_auditevent WHERE id IN (SELECT event_id FROM"
            " audit_auditlink WHERE position > 4)"
        )
        cursor.execute("DELETE FROM audit_auditlink WHERE position > 4")

    assert verify()[0] == 0  # by itself the shorter chain is a chain
    code, _, complaint = verify("--expect", str(kept))

    assert code == 1
    assert complaint.startswith("cut_off at position 5: the chain ends at 4")


def test_a_chain_that_was_rewritten_shows_against_a_head_that_was_kept() -> None:
    audits.write(EVENTS)
    kept = selectors.head_at(4)
    with audits.forging() as cursor:
        cursor.execute(
            "UPDATE audit_auditevent SET action = 'x' WHERE id = (SELECT event_id FROM"
            " audit_auditlink WHERE position = 2)"
        )
        for position in range(2, EVENTS + 1):
            cursor.execute(
                "UPDATE audit_auditlink AS link SET digest = sha256(before.digest ||"
                " audit_bytes(event)) FROM audit_auditlink AS before, audit_auditevent AS event"
                " WHERE before.position = link.position - 1 AND event.id = link.event_id"
                " AND link.position = %s",
                [position],
            )

    assert verify()[0] == 0
    code, _, complaint = verify("--expect", str(kept))

    assert (code, complaint.partition(":")[0]) == (1, "rewritten at position 4")


def test_the_end_alone_can_be_checked(numbers: list[int]) -> None:
    head = selectors.head()
    with audits.forging() as cursor:
        cursor.execute("UPDATE audit_auditevent SET action = 'x' WHERE id = %s", [numbers[1]])

    assert verify("--from", "3", "--expect", str(head))[0] == 0
    assert verify("--from", "2")[0] == 1
    assert verify("--from", "7")[:2] == (
        0,
        f"0 events from position 7 on are as they were written\nhead {head}\n",
    )


def test_programs_get_json(numbers: list[int]) -> None:
    assert json.loads(verify("--json")[1]) == {
        "verified": True,
        "from": 1,
        "reached": {"position": 6, "digest": selectors.head().digest.hex()},
        "fault": None,
    }
    with audits.forging() as cursor:
        cursor.execute("DELETE FROM audit_auditevent WHERE id = %s", [numbers[0]])
    code, said, _ = verify("--json")

    assert (code, json.loads(said)["fault"]["code"]) == (1, "event_removed")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--from", "0"], "there is no position -1"),
        (["--from", "9"], "there is no position 8"),
        (["--expect", "6"], "write POSITION:DIGEST"),
        (["--from", "5", "--expect", f"2:{'0' * 64}"], "--expect 2 lies before position 5"),
    ],
)
def test_what_cannot_be_checked_is_said(
    numbers: list[int], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        verify(*arguments)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditlink SET digest = ''",
        "DELETE FROM audit_auditlink",
    ],
)
def test_links_are_append_only(numbers: list[int], statement: str) -> None:
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("table", "trigger"),
    [
        ("audit_auditevent", "audit_event_no_truncate"),
        ("audit_auditlink", "audit_link_no_truncate"),
    ],
)
def test_neither_table_can_be_emptied(table: str, trigger: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # The suite has switched it off; this goes with the transaction.
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
        with pytest.raises(DatabaseError, match="append-only: TRUNCATE"), transaction.atomic():
            cursor.execute(f"TRUNCATE {table} CASCADE")
        transaction.set_rollback(True)


def test_batches_do_not_change_the_answer(
    numbers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "BATCH", 2)

    assert audits.verified() == (selectors.head(), None)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    action=texts,
    data=st.dictionaries(st.sampled_from(["a", "bb", "ä", '"']), values, max_size=3),
    at=st.datetimes(timezones=st.timezones()),
)
def test_database_and_python_agree_on_every_digest(
    action: str, data: dict[str, Any], at: Any
) -> None:
    with transaction.atomic():
        services.record(action, subject="ü:,1", actor=None, at=at, **data)
    connection.check_constraints()

    assert audits.verified()[1] is None


def test_events_from_before_the_chain_are_linked_by_the_migration(numbers: list[int]) -> None:
    migration = importlib.import_module("gpuaas.audit.migrations.0003_chain")
    before = selectors.head()
    with audits.forging() as cursor:
        cursor.execute("DELETE FROM audit_auditlink")
        cursor.execute(migration.LINK_WHAT_IS_THERE)

    assert audits.verified() == (before, None)


def test_the_head_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    audits.write()

    with caplog.at_level("INFO"):
        tasks.log_audit_head()

    (logged,) = (each for each in caplog.records if each.message == "audit head")
    head = Head(logged.position, bytes.fromhex(logged.digest))  # type: ignore[attr-defined]
    assert head == selectors.head()
