"""One call, what came of it, and what it wrote."""

from dataclasses import dataclass
from typing import Any, Final

from django.core.cache import cache
from django.db import connection, transaction
from django.urls import reverse

from tests.api import conformance
from tests.permissions.bodies import BODIES
from tests.permissions.table import Row
from tests.permissions.world import World

LOGINS: Final = ("/accounts/login/", "/admin/login/")
# Rows written by this transaction, those of savepoints that were rolled back included.  Browser
# sessions are no data: reading a page may open one.
WRITTEN: Final = """
    SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)
    FROM pg_stat_xact_user_tables WHERE relname <> 'django_session'
"""


@dataclass(frozen=True)
class Answer:
    outcome: str
    rows_written: int
    status: int
    location: str
    content: bytes
    seen: tuple[str, ...]

    def as_if_of(self, other: "Answer") -> tuple[int, str, bytes]:
        """Return what is to be seen, had the thing been the one that ``other`` asked for."""
        content, location = self.content, self.location
        for own, theirs in zip(self.seen, other.seen, strict=True):
            content = content.replace(own.encode(), theirs.encode())
            location = location.replace(own, theirs)
        return self.status, location, content


def call(world: World, row: Row, *, role: str, named: dict[str, Any], team: str) -> Answer:
    """Ask as ``role`` for the thing ``named``, and take back whatever it changed."""
    address = reverse(row.name, kwargs=named)
    body = BODIES.get(str(row).replace("HEAD", "GET", 1))
    content = body(world, team) if body else {}
    is_json = row.name.startswith("api:")
    options: dict[str, Any] = {"content_type": "application/json"} if is_json else {}
    if row.method in {"GET", "HEAD"}:
        options = {}
    cache.clear()  # nobody has asked too often
    client = world.client(role)
    point = transaction.savepoint()
    before = _rows_written()
    response = getattr(client, row.method.lower())(address, content, **options)
    connection.needs_rollback = False
    written = _rows_written() - before
    transaction.savepoint_rollback(point)
    if is_json:
        conformance.check(response, row.method)
    location = response.headers.get("Location", "")
    return Answer(
        outcome=_outcome(response.status_code, location, address),
        rows_written=written,
        status=response.status_code,
        location=location,
        content=b"" if response.streaming else response.content,
        seen=(*map(str, named.values()), team),
    )


def _outcome(status: int, location: str, address: str) -> str:
    if location.startswith(LOGINS):
        return "log"
    if location == "/admin/" and address.startswith("/admin/") and "logout" not in address:
        return "gone"  # what Django's admin site says of a row that is not there
    return "ok" if status < 400 else str(status)


def _rows_written() -> int:
    with connection.cursor() as cursor:
        cursor.execute(WRITTEN)
        return int(cursor.fetchone()[0])
