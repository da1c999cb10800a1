"""From one message to the people who are told, in one transaction: all of them, once."""

import logging
from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db import DatabaseError, transaction

from gpuaas.accounts.models import User
from gpuaas.notifications import events, selectors
from gpuaas.notifications.events import EVENTS, Channel
from gpuaas.notifications.models import Delivery, Notice, OutboxMessage

logger: Final = logging.getLogger(__name__)

AT_ONCE: Final = 100


def fan_out(*, now: datetime) -> int:
    """Decide for up to `AT_ONCE` messages who is told; return how many messages there were.

    A second worker at the same time takes other messages: those we hold are skipped.  A message
    that cannot be understood is put aside with its problem; it does not stop the others.
    """
    with transaction.atomic():
        waiting = (
            OutboxMessage.objects.filter(fanned_out_at=None)
            .order_by("pk")
            .select_for_update(skip_locked=True, of=("self",), no_key=True)
            .select_related("team")[:AT_ONCE]
        )
        messages = list(waiting)
        for message in messages:
            problem = ""
            try:
                with transaction.atomic():
                    _tell_all(message, now)
            except DatabaseError:
                raise
            except Exception as error:  # one bad message must not hold up everybody's
                logger.exception("a message cannot be told", extra={"key": message.key})
                problem = f"{type(error).__name__}: {error}"[:200]
            OutboxMessage.objects.filter(pk=message.pk).update(fanned_out_at=now, problem=problem)
    return len(messages)


def _tell_all(message: OutboxMessage, now: datetime) -> None:
    event = EVENTS[message.event]
    wanted = events.recipients(event, message.data)
    people = selectors.people_told(wanted, event=event.name, team=message.team, now=now)
    channels = selectors.channels_of(people, event=event.name)
    Notice.objects.bulk_create(
        [
            Notice(message=message, person=person, created_at=now)
            for person in people
            if Channel.PORTAL in channels[person.pk]
        ],
        ignore_conflicts=True,
    )
    deliveries = [
        Delivery(
            message=message,
            person=person,
            channel=channel.value,
            next_try_at=now,
            expires_at=events.useless_from(event, message.data),
        )
        for person, channel in _ways_out(people, channels)
    ]
    team = message.team
    if wanted.team_webhook and team is not None and selectors.webhook_of(team=team) is not None:
        channel = Channel.WEBHOOK.value
        deliveries.append(Delivery(message=message, team=team, channel=channel, next_try_at=now))
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)


def _ways_out(
    people: Collection[User], channels: dict[int, set[Channel]]
) -> list[tuple[User, Channel]]:
    with_webhook = selectors.has_webhook(people)
    return [
        (person, channel)
        for person in people
        for channel, is_there in (
            (Channel.EMAIL, bool(person.email)),
            (Channel.WEBHOOK, person.pk in with_webhook),
        )
        if is_there and channel in channels[person.pk]
    ]
