"""Where people and teams want to be told by HTTP."""

import secrets
from datetime import datetime
from typing import Final

from django.db import transaction

from gpuaas.accounts import permissions
from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core import errors
from gpuaas.notifications import posts
from gpuaas.notifications.models import Webhook

LONGEST_URL: Final = 500


class WebhookRefused(errors.DomainError):
    """The address is not one that we send to."""

    code = "webhook_refused"


class NotTheManager(errors.DomainError):
    """Only who manages a team decides where its messages go."""

    code = "not_the_manager"


def set_webhook(*, actor: User, team: Team | None, url: str, now: datetime) -> Webhook:
    """Send what concerns ``actor``, or their ``team``, to ``url`` from now on, with a new secret.

    Raises:
        WebhookRefused: it has the wrong form, or leads where webhooks must not go.
        NotTheManager: ``actor`` does not manage ``team``.
    """
    _check_manager(actor, team, now)
    if len(url) > LONGEST_URL:
        raise WebhookRefused(f"an address has at most {LONGEST_URL} characters, not {len(url)}")
    try:
        posts.checked(url)
    except posts.AddressRefused as refused:
        raise WebhookRefused(str(refused)) from refused
    with transaction.atomic():
        webhook, _ = Webhook.objects.update_or_create(
            person=None if team else actor,
            team=team,
            defaults={"url": url, "secret": secrets.token_urlsafe(32), "created_at": now},
        )
        _record("webhook.set", actor, team, now)
    return webhook


def remove_webhook(*, actor: User, team: Team | None, now: datetime) -> None:
    """Send nothing there any more; what still waits is dropped.

    Raises:
        NotTheManager: ``actor`` does not manage ``team``.
    """
    _check_manager(actor, team, now)
    with transaction.atomic():
        gone, _ = Webhook.objects.filter(person=None if team else actor, team=team).delete()
        if gone:
            _record("webhook.removed", actor, team, now)


def _check_manager(actor: User, team: Team | None, now: datetime) -> None:
    if team is not None and not permissions.may_manage_team(user=actor, team=team, now=now):
        raise NotTheManager(f"only a manager of {team} decides where its messages go")


def _record(action: str, actor: User, team: Team | None, now: datetime) -> None:
    # Not the address: whoever knows it can often post there.
    subject = f"team:{team.slug}" if team else f"user:{actor.pk}"
    audit.record(action, subject=subject, actor=actor, team=team, at=now)
