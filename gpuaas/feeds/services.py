"""Making calendar feeds, and revoking them."""

import secrets
from datetime import datetime
from typing import Final

from django.db import transaction

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core import errors
from gpuaas.feeds.models import CalendarFeed
from gpuaas.feeds.selectors import digest_of, feeds_of
from gpuaas.inventory.models import Pool

LIVE_AT_MOST: Final = 20
_SECRET_BYTES: Final = 24


class TooManyFeeds(errors.DomainError):
    """One person has no more than a handful."""

    code = "too_many_feeds"


class NoCalendarOfTheirs(errors.DomainError):
    """A feed is of a team that its person sees and that is not archived."""

    code = "not_your_team"


def create_feed(
    *, person: User, team: Team | None = None, pool: Pool | None = None, now: datetime
) -> tuple[CalendarFeed, str]:
    """Make a feed of ``team``, of ``pool``, or of the person's own bookings.

    Return it with the secret of its address, which is not kept anywhere.

    Raises:
        NoCalendarOfTheirs: ``person`` does not see ``team``, or it is archived.
        TooManyFeeds: there are `LIVE_AT_MOST` already.
    """
    visible = accounts.teams_visible_to(person, now=now).filter(is_active=True)
    if team is not None and not visible.filter(pk=team.pk).exists():
        raise NoCalendarOfTheirs(f"{team} is none of your teams, or it is archived")
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)  # one at a time, or both would fit
        if feeds_of(person).count() >= LIVE_AT_MOST:
            raise TooManyFeeds(f"you have {LIVE_AT_MOST} calendar links, the most: revoke one")
        feed = CalendarFeed.objects.create(
            person=person, team=team, pool=pool, digest=digest_of(secret), created_at=now
        )
        _record("calendar_feed.created", feed, now)
    return feed, secret


def revoke_feed(*, feed: CalendarFeed, now: datetime) -> None:
    """Let nobody read at its address any more; doing it again changes nothing."""
    with transaction.atomic():
        revoked = CalendarFeed.objects.filter(pk=feed.pk, revoked_at=None).update(revoked_at=now)
        if revoked:
            _record("calendar_feed.revoked", feed, now)


def _record(action: str, feed: CalendarFeed, now: datetime) -> None:
    audit.record(
        action,
        subject=f"calendar_feed:{feed.pk}",
        actor=feed.person,
        team=feed.team,
        at=now,
        kind=feed.kind,
    )
