"""What the tests of telling people share."""

from datetime import datetime, timedelta

from django.db import transaction

from gpuaas.accounts.models import Team, User
from gpuaas.notifications import services
from gpuaas.notifications.models import OutboxMessage
from tests import make

EVENT = "reservation.failed"


def announce(
    *,
    team: Team | None,
    to: User | None = None,
    event: str = EVENT,
    key: str = "one",
    at: datetime = make.NOON,
    **data: object,
) -> OutboxMessage:
    """Put one message into the outbox."""
    with transaction.atomic():
        services.announce(
            event,
            key=key,
            subject="reservation:8dcd9018-01cf-4716-a2cd-f1e36670ebca",
            team=team,
            at=at,
            data={"requested_by": to and to.pk, "reason": "the node lost power", **data},
        )
    return OutboxMessage.objects.get(key=key)


def deliver(*, now: datetime = make.NOON) -> int:
    """Send what is due at ``now``, as long as it takes."""
    return services.deliver(clock=lambda: now, until=now + timedelta(seconds=60))
