"""What a calendar link is called."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from gpuaas.core.language import later

if TYPE_CHECKING:
    from gpuaas.feeds.models import CalendarFeed

_WORDS: Final = {"person": later("Only what I book"), "team": later("Team"), "pool": later("Pool")}
_ICONS: Final = {"person": "user", "team": "users", "pool": "server"}


@dataclass(frozen=True, slots=True)
class FeedCard:
    number: int
    title: str
    of: str
    icon: str
    created_at: datetime


def feed_card(feed: "CalendarFeed") -> FeedCard:
    """Return what the page shows of a link; not its address, which nobody knows any more."""
    return FeedCard(
        number=feed.pk,
        title=feed.title[:1].upper() + feed.title[1:],
        of=_WORDS[feed.kind],
        icon=_ICONS[feed.kind],
        created_at=feed.created_at,
    )


def name_of(feed: "CalendarFeed") -> str:
    """Return what a calendar program calls the calendar."""
    return f"GPUaaS: {feed.title}"
