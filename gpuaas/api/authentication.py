"""Programs that ask: ``Authorization: Bearer gpuaas_...``.

One query, which brings the person along; no browser session, no CSRF token.  The only write is
that a token is in use, once an hour.
"""

from typing import Final

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from gpuaas.accounts import selectors, services, tokens
from gpuaas.accounts.models import ApiToken, User

SCHEME: Final = "bearer"


class TokenAuthentication(BaseAuthentication):
    """Knows a person by one of their API tokens."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != SCHEME:
            return None
        presented = tokens.read(text.strip())
        token = selectors.token_numbered(presented.public_id) if presented else None
        if presented is None or token is None or not presented.proves(token.digest):
            raise AuthenticationFailed("There is no such token.", code="token_unknown")
        # From here on it is the holder who asks, and may know why it does not work.
        now = timezone.now()
        if token.revoked_at is not None:
            raise AuthenticationFailed("This token was revoked.", code="token_revoked")
        if token.expires_at <= now:
            raise AuthenticationFailed(
                f"This token ended at {token.expires_at:%Y-%m-%d %H:%M} UTC: make a new one.",
                code="token_expired",
            )
        if not token.person.is_active:
            raise AuthenticationFailed("This account is switched off.", code="account_inactive")
        services.note_use(token=token, now=now)
        return token.person, token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 -- REST framework's signature
        return 'Bearer realm="gpuaas"'
