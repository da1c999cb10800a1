"""What the portal as OpenID provider says to the doors of workspaces."""

from collections.abc import Iterable
from typing import Any, Literal

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.identity.adapters import ProviderAdapter
from sessions import selectors
from sessions.spec import session_of_client


class DoorsAdapter(ProviderAdapter):
    """One that tells a workspace's door whether somebody may enter, and none of their teams."""

    def get_claims(
        self,
        purpose: Literal["id_token", "userinfo"],
        user: AbstractBaseUser,
        client: Any,
        scopes: Iterable[str],
        email: str | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Name as the only group the session that the door belongs to, to whom it opens."""
        claims = super().get_claims(purpose, user, client, scopes, email, **kwargs)
        session = session_of_client(client.id)
        if session is not None:
            assert isinstance(user, User)  # noqa: S101 -- there is no other user model
            may_enter = selectors.may_enter(user, public_id=session, now=timezone.now())
            claims["groups"] = [client.id] if may_enter else []
        return claims
