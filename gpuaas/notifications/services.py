"""Everything that changes what people are told."""

from datetime import datetime

from django.db import connection

from gpuaas.accounts.models import Team
from gpuaas.notifications.models import OutboxMessage


def announce(
    event: str,
    *,
    key: str,
    subject: str,
    team: Team | None,
    at: datetime,
    data: dict[str, object],
) -> None:
    """Put one message into the outbox, in the transaction that makes the change it tells of.

    ``key`` names what is told, with its deadline where it has one: announcing it again has no
    effect.  ``data`` is anything JSON can carry.  Outside a transaction people could be told of a
    change that never came to be; that is a bug and raises RuntimeError.
    """
    if not connection.in_atomic_block:
        msg = "what people are told is written in the transaction of the change"
        raise RuntimeError(msg)
    message = OutboxMessage(
        key=key, event=event, subject=subject, team=team, data=data, created_at=at
    )
    OutboxMessage.objects.bulk_create([message], ignore_conflicts=True)
