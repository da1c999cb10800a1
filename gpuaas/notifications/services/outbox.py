"""The outbox itself: what goes in, and when it is forgotten."""

from datetime import datetime

from django.db import connection, transaction

from gpuaas.accounts.models import Team
from gpuaas.notifications.models import DeliveryState, OutboxMessage


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


def forget(*, before: datetime, at_most: int = 500) -> int:
    """Delete messages from before ``before`` that nobody waits for; return how many.

    In batches: a delete of everything at once would hold its rows for too long.
    """
    with transaction.atomic():
        old = (
            OutboxMessage.objects.filter(created_at__lt=before, fanned_out_at__lt=before)
            .exclude(deliveries__state__in=[DeliveryState.WAITING, DeliveryState.DEAD])
            .order_by("pk")
            .values_list("pk", flat=True)[:at_most]
        )
        chosen = list(old)
        OutboxMessage.objects.filter(pk__in=chosen).delete()
    return len(chosen)
