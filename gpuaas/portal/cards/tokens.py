"""API tokens as cards.  Pure: rows in, finished text out."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from gpuaas.portal.cards.bookings import Badge

if TYPE_CHECKING:
    from gpuaas.accounts.models import ApiToken


@dataclass(frozen=True, slots=True)
class TokenCard:
    """One token, without its secret; ``last_used_at`` is right to the hour."""

    public_id: str
    name: str
    scope: str
    start: str
    badge: Badge
    is_live: bool
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


def token_card(token: "ApiToken", *, now: datetime) -> TokenCard:
    """Return the card of ``token``."""
    is_live = token.is_live(now)
    if is_live:
        badge = Badge("live", gettext("Works"), "success")
    elif token.revoked_at:
        badge = Badge("revoked", gettext("Revoked"), "secondary")
    else:
        badge = Badge("over", gettext("Expired"), "secondary")
    return TokenCard(
        public_id=token.public_id,
        name=token.name,
        scope=token.get_scope_display(),
        start=f"gpuaas_{token.public_id}_…",
        badge=badge,
        is_live=is_live,
        created_at=token.created_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        last_used_at=token.last_used_at,
    )
