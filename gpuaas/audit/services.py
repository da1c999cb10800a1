"""The one way to write the audit trail."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection

from gpuaas.audit.models import AuditEvent

if TYPE_CHECKING:  # the trail lies below whoever writes it, accounts included
    from gpuaas.accounts.models import Team, User


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
