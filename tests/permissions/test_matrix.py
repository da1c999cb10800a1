"""Every address, asked by everybody, for what is theirs, another team's, and nobody's."""

import pytest

from tests.permissions.calls import Answer, call
from tests.permissions.table import ABROAD, ROLES, Row, rows
from tests.permissions.world import OURS, THEIRS, World

pytestmark = pytest.mark.django_db
LOOKS_LIKE_NOTHING = {"404", "gone", "400"}
READS = {"GET", "HEAD"}
# allauth makes the row of an address that it did not know when somebody looks at their addresses.
WRITES_ON_READING = {"account_email"}
NOWHERE = "nowhere-team"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OWN_INTERFACES = ("portal:", "api:")


def ours(world: World, row: Row, role: str) -> Answer:
    """Return what ``role`` is answered for our thing; the answer is kept, it does not change."""
    key = str(row), role
    answer = world.answers.get(key)
    if answer is None:
        named = world.things[row.kind].ours
        answer = world.answers[key] = call(world, row, role=role, named=named, team=OURS)
    return answer


def missing(world: World, row: Row, role: str) -> Answer:
    return call(world, row, role=role, named=world.things[row.kind].missing, team=NOWHERE)


def is_harmless(row: Row) -> bool:
    return row.method in READS and row.name not in WRITES_ON_READING


@pytest.mark.parametrize("row", rows(), ids=str)
def test_who_may_ask_what(world: World, row: Row) -> None:
    answers = {role: ours(world, row, role) for role in ROLES}

    assert {role: each.outcome for role, each in answers.items()} == row.expected
    for role, answer in answers.items():
        if answer.outcome != "ok" or is_harmless(row):
            assert answer.rows_written == 0, f"{role} changed something"


@pytest.mark.parametrize("row", rows(), ids=str)
def test_not_yours_looks_like_not_there(world: World, row: Row) -> None:
    thing = world.things[row.kind]
    if not thing.missing and "400" not in row.expected.values():
        return
    for role, expected in row.expected.items():
        if expected in LOOKS_LIKE_NOTHING:
            there, not_there = ours(world, row, role), missing(world, row, role)
            assert there.as_if_of(not_there) == not_there.as_if_of(not_there), role


@pytest.mark.parametrize("row", [row for row in rows() if row.kind], ids=str)
def test_the_other_teams_things_are_as_far_away(world: World, row: Row) -> None:
    theirs = world.things[row.kind].theirs
    if theirs is None:
        return
    for role, stranger in ABROAD.items():
        answer = call(world, row, role=role, named=theirs, team=THEIRS)
        assert answer.outcome == row.expected[stranger], role
        assert answer.rows_written == 0 or answer.outcome == "ok"


@pytest.mark.parametrize(
    "row", [row for row in rows() if row.method == "GET" and is_harmless(row)], ids=str
)
def test_looking_at_the_headers_writes_nothing_either(world: World, row: Row) -> None:
    head = Row("HEAD", row.name, row.kind, row.expected)

    answer = ours(world, head, "manager")

    assert answer.rows_written == 0
    if row.name != "admin:login":  # Django shows it again to who is in, when it is not a GET
        assert answer.outcome == row.expected["manager"]


@pytest.mark.parametrize(
    "name", sorted({row.name for row in rows() if row.name.startswith(OWN_INTERFACES)}), ids=str
)
def test_a_method_without_a_row_is_not_allowed(world: World, name: str) -> None:
    known = {row.method: row for row in rows() if row.name == name}
    some = next(iter(known.values()))

    for method in METHODS:
        if method not in known:
            row = Row(method, name, some.kind, {})
            named = world.things[some.kind].ours
            answer = call(world, row, role="platform admin", named=named, team=OURS)
            assert answer.outcome == "405", f"{method} {name} has no row in matrix.txt"
            assert answer.rows_written == 0
