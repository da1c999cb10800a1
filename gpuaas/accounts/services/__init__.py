"""Everything that changes people, teams, memberships and API tokens."""

from gpuaas.accounts.services.memberships import add_member
from gpuaas.accounts.services.people import ensure_user
from gpuaas.accounts.services.teams import ensure_team
from gpuaas.accounts.services.tokens import (
    LIVE_AT_MOST,
    TokenNameTaken,
    TokenRefused,
    TooManyTokens,
    create_token,
    note_use,
    revoke_token,
)

__all__ = (
    "LIVE_AT_MOST",
    "TokenNameTaken",
    "TokenRefused",
    "TooManyTokens",
    "add_member",
    "create_token",
    "ensure_team",
    "ensure_user",
    "note_use",
    "revoke_token",
)
