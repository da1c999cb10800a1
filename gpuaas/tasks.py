"""What Celery's beat triggers on the default queue.  A missed tick loses nothing."""

import logging
from datetime import timedelta
from typing import Final

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from gpuaas.accounts import services as accounts
from gpuaas.audit import selectors as audit
from gpuaas.audit import services as audit_services
from gpuaas.idempotency import services as idempotency
from gpuaas.notifications import services as notifications
from reservations import services as reservations
from tokenomics.services import budgets, exports, past, periods

SENDING_AT_MOST: Final = timedelta(seconds=60)

logger = logging.getLogger(__name__)


@shared_task(name="notifications.deliver")
def deliver_notices() -> None:
    """Look what is due to be told, decide who is, send it; and forget what is old."""
    now = timezone.now()
    reservations.remind(now=now)
    reservations.announce_budgets(now=now)
    budgets.announce_budgets(now=now)
    notifications.announce_memberships(now=now)
    while notifications.fan_out(now=now):
        pass
    notifications.deliver(clock=timezone.now, until=now + SENDING_AT_MOST)
    notifications.forget(before=now - timedelta(days=settings.KEEP_NOTICES_DAYS))


@shared_task(name="tokenomics.write_exports")
def write_exports() -> None:
    """Make the files of cost reports that wait, and forget old ones."""
    exports.make_waiting(clock=timezone.now)
    exports.forget(before=timezone.now() - exports.KEPT_FOR)


@shared_task(name="audit.log_head")
def log_audit_head() -> None:
    """Log where the audit chain is: kept elsewhere, it shows when the trail is cut or rewritten."""
    head = audit.head()
    logger.info("audit head", extra={"position": head.position, "digest": head.digest.hex()})


@shared_task(name="audit.forget")
def forget_audit_events() -> None:
    """Forget events that are older than the settings want them kept; by default none."""
    if not settings.KEEP_AUDIT_DAYS:
        return
    now = timezone.now()
    before = now - timedelta(days=settings.KEEP_AUDIT_DAYS)
    while gone := audit_services.forget(before=before, now=now):
        logger.info("audit events forgotten", extra={"events": gone})


@shared_task(name="idempotency.forget")
def forget_keys() -> None:
    """Forget requests that nobody sends again."""
    idempotency.forget(before=timezone.now() - idempotency.KEPT_FOR)


@shared_task(name="accounts.forget_tokens")
def forget_tokens() -> None:
    """Forget API tokens that ended long ago."""
    accounts.forget_tokens(now=timezone.now())


@shared_task(name="tokenomics.follow")
def follow_past() -> None:
    """Write down which devices and teams changed since the last look."""
    past.follow(now=timezone.now())


@shared_task(name="tokenomics.calculate")
def calculate_costs() -> None:
    """Calculate every month that is not closed, with the inputs there are by now."""
    periods.keep_up_to_date(now=timezone.now())
