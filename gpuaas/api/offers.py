"""How an offer, what a flagged booking can be exchanged for, looks over HTTP."""

from reservations.services import Offer


def offer_body(offer: Offer) -> dict[str, object]:
    """Return the offer; ``offer`` is the name by which it is accepted."""
    wish = offer.wish
    return {
        "offer": offer.number,
        "pool": offer.pool.slug,
        "resource_name": wish.resource_name,
        "units": wish.units,
        "starts_at": wish.window.starts_at,
        "ends_at": wish.window.ends_at,
    }
