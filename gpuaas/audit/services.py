"""The one way to write the audit trail."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction

from gpuaas.audit.models import AuditEvent

if TYPE_CHECKING:  # the trail lies below whoever writes it, accounts included
    from gpuaas.accounts.models import Team, User

# What is younger is never forgotten, whatever the settings say.
KEPT_AT_LEAST: Final = timedelta(days=90)
FORGOTTEN_AT_ONCE: Final = 5_000


def record(
    action: str,
    *,
    subject: str,
    actor: "User | None",
    at: datetime,
    team: "Team | None" = None,
    **data: object,
) -> None:
    """Write one event in the transaction that makes the change it tells of.

    ``data`` is anything JSON can carry.  Outside a transaction the event could stand without its
    change, or the change without its event; that is a bug and raises RuntimeError.
    """
    if not connection.in_atomic_block:
        msg = "an audit event is written in the transaction of its change"
        raise RuntimeError(msg)
    AuditEvent.objects.create(
        at=at, action=action, subject=subject, actor=actor, team=team, data=data
    )


def forget(*, before: datetime, now: datetime) -> int:
    """Forget the oldest events, at most `FORGOTTEN_AT_ONCE`, and return how many there were.

    Only what is older than ``before`` goes, and only from the beginning of the chain on.  An event
    ``audit.forgotten`` says up to where, with the digest there: the rest is verified from it on.

    Raises:
        ValueError: ``before`` is within `KEPT_AT_LEAST` of ``now``.
    """
    if before > now - KEPT_AT_LEAST:
        msg = f"events of the last {KEPT_AT_LEAST.days} days are kept"
        raise ValueError(msg)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT audit_forget(%s, %s, %s)", [before, now, FORGOTTEN_AT_ONCE])
        (gone,) = cursor.fetchone()
    return int(gone)
