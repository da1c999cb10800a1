"""A series as its page shows it.  Pure: rows in, finished text out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.utils.translation import gettext

from gpuaas.core.language import later
from gpuaas.portal import wording
from gpuaas.portal.cards.bookings import Badge, badge
from reservations.lifecycle import State

if TYPE_CHECKING:
    from reservations.models import Series, SeriesOccurrence

EVERY: Final = {
    "day": later("every day"),
    "weekday": later("every weekday"),
    "week": later("every week"),
}


@dataclass(frozen=True, slots=True)
class OccurrenceCard:
    """One window: its booking, or why there is none and ``nearest``, a query for the form."""

    number: int
    starts_at: datetime
    ends_at: datetime
    badge: Badge
    reservation: UUID | None
    message: str
    nearest: str


@dataclass(frozen=True, slots=True)
class SeriesCard:
    """One series, with how many of it there are, are booked and were refused."""

    public_id: UUID
    title: str
    every: str
    purpose: str
    team: str
    pool: str
    whose: str
    created_at: datetime
    total: int
    booked: int
    refused: int
    is_canceled: bool


def series_card(series: Any) -> SeriesCard:
    """Return the card of a series that was read with its counts."""
    return SeriesCard(
        public_id=series.public_id,
        title=wording.amount(series.units, series.resource_name),
        every=EVERY[series.every],
        purpose=series.purpose,
        team=series.team.name,
        pool=series.pool.name,
        whose=series.requested_by.get_full_name() or series.requested_by.username,
        created_at=series.created_at,
        total=series.total,
        booked=series.booked,
        refused=series.refused,
        is_canceled=series.canceled_at is not None,
    )


def occurrence_cards(
    series: "Series", occurrences: "Iterable[SeriesOccurrence]"
) -> list[OccurrenceCard]:
    """Return the cards of its windows."""
    return [_card(series, each) for each in occurrences]


def _card(series: "Series", each: "SeriesOccurrence") -> OccurrenceCard:
    booked = each.reservation
    if booked:
        shown = badge(State(booked.state))
    elif each.code:
        shown = Badge("REFUSED", gettext("Not booked"), "danger")
    else:
        shown = Badge("UNDECIDED", gettext("Under way"), "secondary")
    message = each.message
    return OccurrenceCard(
        number=each.number,
        starts_at=booked.starts_at if booked else each.starts_at,
        ends_at=booked.ends_at if booked else each.ends_at,
        badge=shown,
        reservation=booked.public_id if booked else None,
        message=f"{message[:1].upper()}{message[1:]}." if message else "",
        nearest=_nearest(series, each),
    )


def _nearest(series: "Series", each: "SeriesOccurrence") -> str:
    if each.nearest_starts_at is None or each.nearest_ends_at is None:
        return ""
    return urlencode(
        {
            "team": series.team.slug,
            "type": f"{series.pool.slug}/{series.resource_name}",
            "units": series.units,
            "mode": series.mode,
            "purpose": series.purpose,
            "begins": "later",
            "starts_at": each.nearest_starts_at.isoformat(),
            "length": "until",
            "ends_at": each.nearest_ends_at.isoformat(),
        }
    )
