"""What runs by itself."""

import logging
from dataclasses import asdict

from celery import shared_task
from django.utils import timezone

from gpuaas.accounts import services as accounts
from gpuaas.identity import provider, rounds

logger = logging.getLogger(__name__)


@shared_task(name="identity.follow_directory")
def follow_directory() -> None:
    """Ask the identity provider about everybody who came from it."""
    report = rounds.follow(provider=provider.configured(), now=timezone.now())
    if report != rounds.Report():
        logger.info("directory followed", extra=asdict(report))


@shared_task(name="identity.drop_expired_grants")
def drop_expired_grants() -> None:
    """Tidy up after managers whose time is over; they are kept out without it."""
    dropped = accounts.drop_expired_grants(now=timezone.now())
    if dropped:
        logger.info("expired grants dropped", extra={"dropped": dropped})
