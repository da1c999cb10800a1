"""Everything that changes people, teams, memberships and API tokens."""

from gpuaas.accounts.services.members import (
    AlreadyMember,
    ExpiryPast,
    FromDirectory,
    LastManager,
    NotManager,
    NotRaisable,
    change_member,
    drop_expired_grants,
    invite,
    remove_member,
)
from gpuaas.accounts.services.memberships import add_member
from gpuaas.accounts.services.people import ensure_user, keep_person, note_password
from gpuaas.accounts.services.teams import (
    NotYours,
    TeamTaken,
    change_team,
    create_team,
    ensure_team,
)
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
    "AlreadyMember",
    "ExpiryPast",
    "FromDirectory",
    "LastManager",
    "NotManager",
    "NotRaisable",
    "NotYours",
    "TeamTaken",
    "TokenNameTaken",
    "TokenRefused",
    "TooManyTokens",
    "add_member",
    "change_member",
    "change_team",
    "create_team",
    "create_token",
    "drop_expired_grants",
    "ensure_team",
    "ensure_user",
    "invite",
    "keep_person",
    "note_password",
    "note_use",
    "remove_member",
    "revoke_token",
)
