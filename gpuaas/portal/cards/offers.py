"""What a booking in trouble can be exchanged for, in words.  Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gpuaas.portal import wording

if TYPE_CHECKING:
    from reservations.services import Offer


@dataclass(frozen=True, slots=True)
class OfferCard:
    """One offer; ``number`` is what the button sends."""

    number: str
    title: str
    pool: str
    starts_at: datetime
    ends_at: datetime


def offer_card(offer: "Offer") -> OfferCard:
    """Return how ``offer`` is shown."""
    wish = offer.wish
    return OfferCard(
        number=offer.number,
        title=wording.amount(wish.units, wish.resource_name),
        pool=offer.pool.name,
        starts_at=wish.window.starts_at,
        ends_at=wish.window.ends_at,
    )
