"""Sending what waits: claimed first, sent outside any transaction, then marked.

Two workers never send the same: a claim moves ``next_try_at`` beyond the longest time a sending
can take.  Who dies between the claim and the sending leaves it to be sent when the claim is over.
Who dies between the sending and the mark leaves it to be sent twice: nothing can tell the two
apart.  The e-mail's Message-ID and the webhook's number stay the same, so that receivers can.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from gpuaas.core.sentences import as_read
from gpuaas.identity.locale import as_for
from gpuaas.notifications import letters, posts, selectors, wording
from gpuaas.notifications.events import Channel
from gpuaas.notifications.failures import NotDelivered
from gpuaas.notifications.models import Delivery, DeliveryState
from gpuaas.notifications.wording import Text

logger: Final = logging.getLogger(__name__)

# Longer than sending can take (letters and posts have time-outs), with room for a slow machine.
CLAIM: Final = timedelta(minutes=3)
MOST_ATTEMPTS: Final = 12
FIRST_RETRY_AFTER: Final = timedelta(seconds=30)
LONGEST_RETRY_AFTER: Final = timedelta(hours=1)


def deliver(*, clock: Callable[[], datetime], until: datetime) -> int:
    """Send what is due, mail before webhooks, until nothing is or ``until``; return how many.

    Whom one sending fails, the next of this run would only fail as well: they wait for the next.
    """
    sent = 0
    for channel in (Channel.EMAIL, Channel.WEBHOOK):
        failing: set[int] = set()
        while (now := clock()) < until:
            delivery = claim(channel=channel, avoiding=failing, now=now)
            if delivery is None:
                break
            if _send(delivery, now):
                sent += 1
            else:
                failing.add(_target(delivery))
    return sent


def claim(*, channel: Channel, avoiding: set[int], now: datetime) -> Delivery | None:
    """Take the delivery that has waited longest, for us alone for `CLAIM`; None: nothing is due."""
    with transaction.atomic():
        waiting = Delivery.objects.filter(
            state=DeliveryState.WAITING, channel=channel.value, next_try_at__lte=now
        )
        people = [target for target in avoiding if target > 0]
        teams = [-target for target in avoiding if target < 0]
        if people:
            waiting = waiting.exclude(person__in=people)
        if teams:
            waiting = waiting.exclude(team__in=teams)
        chosen = (
            waiting.order_by("next_try_at", "pk")
            .select_for_update(skip_locked=True, of=("self",), no_key=True)
            .select_related("message__team", "person", "team")
            .first()
        )
        if chosen is not None:
            chosen.attempts += 1
            chosen.next_try_at = now + CLAIM
            Delivery.objects.filter(pk=chosen.pk).update(
                attempts=chosen.attempts, next_try_at=chosen.next_try_at
            )
    return chosen


def try_again(*, deliveries: list[Delivery], now: datetime) -> int:
    """Put deliveries that were given up back into the queue; return how many were."""
    return Delivery.objects.filter(
        pk__in=[each.pk for each in deliveries], state=DeliveryState.DEAD
    ).update(state=DeliveryState.WAITING, attempts=0, next_try_at=now, finished_at=None)


def retry_after(attempts: int) -> timedelta:
    """Return the pause after so many failures: twice as long each time, an hour at most."""
    doubled = 1 << min(attempts - 1, 10)
    return min(FIRST_RETRY_AFTER * doubled, LONGEST_RETRY_AFTER)


def _send(delivery: Delivery, now: datetime) -> bool:
    if delivery.attempts > MOST_ATTEMPTS:  # whoever claimed it died each time
        _finish(delivery, DeliveryState.DEAD, now, error="tried too often")
        return False
    if reason := _useless(delivery, now):
        _finish(delivery, DeliveryState.SKIPPED, now, error=reason)
        return True
    try:
        _SENDERS[Channel(delivery.channel)](delivery, _text(delivery), now)
    except NotDelivered as failure:
        _failed(delivery, str(failure), now, is_final=failure.is_final)
        return False
    except Exception as error:  # one bad delivery must not stop the others
        logger.exception("a delivery failed", extra={"delivery": delivery.pk})
        _failed(delivery, f"{type(error).__name__}: {error}", now, is_final=False)
        return False
    _finish(delivery, DeliveryState.DONE, now)
    return True


def _useless(delivery: Delivery, now: datetime) -> str:
    """Return why nobody is to be told any more, or nothing."""
    if delivery.expires_at is not None and delivery.expires_at <= now:
        return "too late: it would only confuse"
    person, message = delivery.person, delivery.message
    if person is not None and not selectors.may_know(
        person, event=message.event, team=message.team, now=now
    ):
        return "may not see it any more"
    is_post = delivery.channel == Channel.WEBHOOK.value
    if is_post and selectors.webhook_of(person=person, team=delivery.team) is None:
        return "the webhook was removed"
    return ""


def _letter(delivery: Delivery, text: Text, now: datetime) -> None:  # noqa: ARG001 -- as _post
    assert delivery.person is not None  # noqa: S101 -- a team has no mailbox
    if not delivery.person.email:
        raise NotDelivered("no e-mail address", is_final=True)
    with as_for(delivery.person, otherwise=settings.LANGUAGE_CODE):
        told = replace(text, title=as_read(text.title), body=as_read(text.body))
        letters.send(to=delivery.person.email, text=told, number=delivery.pk)


def _post(delivery: Delivery, text: Text, now: datetime) -> None:
    webhook = selectors.webhook_of(person=delivery.person, team=delivery.team)
    if webhook is None:  # a moment ago it was there
        raise NotDelivered("the webhook was removed")
    message = delivery.message
    posts.send(
        url=webhook.url,
        secret=webhook.secret,
        number=delivery.pk,
        body=posts.body_of(
            text,
            event=message.event,
            key=message.key,
            at=message.created_at,
            base_url=settings.BASE_URL,
        ),
        at=now,
    )


_SENDERS: Final = {Channel.EMAIL: _letter, Channel.WEBHOOK: _post}


def _text(delivery: Delivery) -> Text:
    message = delivery.message
    return wording.text_of(
        event=message.event,
        subject=message.subject,
        team=message.team.name if message.team else "",
        data=message.data,
    )


def _failed(delivery: Delivery, error: str, now: datetime, *, is_final: bool) -> None:
    logger.warning("not delivered", extra={"delivery": delivery.pk, "error": error})
    if is_final or delivery.attempts >= MOST_ATTEMPTS:
        _finish(delivery, DeliveryState.DEAD, now, error=error)
        return
    _claimed(delivery).update(
        next_try_at=now + retry_after(delivery.attempts), last_error=error[:300]
    )


def _finish(delivery: Delivery, state: DeliveryState, now: datetime, *, error: str = "") -> None:
    _claimed(delivery).update(state=state, finished_at=now, last_error=error[:300])


def _claimed(delivery: Delivery) -> QuerySet[Delivery]:
    """Only while the claim is still ours: somebody else may have taken over meanwhile."""
    return Delivery.objects.filter(
        pk=delivery.pk, state=DeliveryState.WAITING, attempts=delivery.attempts
    )


def _target(delivery: Delivery) -> int:
    """Return a person's number, or a team's, negative."""
    return delivery.person_id or -(delivery.team_id or 0)
