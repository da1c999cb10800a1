"""What Celery's beat triggers on the default queue.  A missed tick loses nothing."""

from datetime import timedelta
from typing import Final

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from gpuaas.notifications import services as notifications
from reservations import services as reservations

SENDING_AT_MOST: Final = timedelta(seconds=60)


@shared_task(name="notifications.deliver")
def deliver_notices() -> None:
    """Look what is due to be told, decide who is, send it; and forget what is old."""
    now = timezone.now()
    reservations.remind(now=now)
    notifications.announce_memberships(now=now)
    while notifications.fan_out(now=now):
        pass
    notifications.deliver(clock=timezone.now, until=now + SENDING_AT_MOST)
    notifications.forget(before=now - timedelta(days=settings.KEEP_NOTICES_DAYS))
