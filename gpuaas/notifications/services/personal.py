"""What people do with their notices, and what they want to hear of."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.core import errors
from gpuaas.notifications import selectors
from gpuaas.notifications.events import Channel
from gpuaas.notifications.models import Notice, Preference


class UnknownPreference(errors.DomainError):
    """There is no such event for this person."""

    code = "unknown_preference"


def mark_read(*, person: User, notice: Notice | None, now: datetime) -> int:
    """Mark one notice as read, or all (None); return how many were not before."""
    found = selectors.unread_by(person, now=now)
    if notice is not None:
        found = found.filter(pk=notice.pk)
    return Notice.objects.filter(pk__in=found.values("pk"), read_at=None).update(read_at=now)


def prefer(*, person: User, event: str, channel: Channel, is_on: bool) -> None:
    """Let ``person`` hear of ``event`` over ``channel``, or not.  It counts for what comes.

    Raises:
        UnknownPreference: there is no such event for them.
    """
    if (event, channel) not in selectors.preferences_of(person):
        raise UnknownPreference(f"there is no event {event!r} that you could be told of")
    Preference.objects.update_or_create(
        person=person, event=event, channel=channel.value, defaults={"is_on": is_on}
    )


def prefer_all(*, person: User, wanted: Mapping[tuple[str, Channel], bool]) -> None:
    """Set each of ``wanted`` that is not so already; all of them, or none.

    Raises:
        UnknownPreference: one of them is no event for them.
    """
    now_set = selectors.preferences_of(person)
    with transaction.atomic():
        for (event, channel), is_on in wanted.items():
            if now_set.get((event, channel)) != is_on:
                prefer(person=person, event=event, channel=channel, is_on=is_on)
