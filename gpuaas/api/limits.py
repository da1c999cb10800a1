"""What bounds a caller whoever they are: the scope of their token, and how often they ask."""

import logging
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from gpuaas.accounts.models import ApiToken, TokenScope

if TYPE_CHECKING:
    from gpuaas.api.views import APIView

logger = logging.getLogger(__name__)

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
MINUTE: Final = 60


class WithinScope(BasePermission):
    """A token looks; it changes only what its scope includes.  People in a browser have none.

    One that tells usage does not look.
    """

    code = "token_scope"

    def has_permission(self, request: Request, view: "APIView") -> bool:  # type: ignore[override]
        token = request.auth
        if not isinstance(token, ApiToken):
            return True
        scope = TokenScope(token.scope)
        needed = TokenScope.READ if request.method in SAFE else view.takes_scope
        self.message = f"This token is for {scope.value!r}: what you ask takes {needed.value!r}."
        return scope.includes(needed)


class PerMinute(BaseThrottle):
    """Each person asks so often a minute, with all their tokens together.

    Counted where all web processes see it.  When that cannot be reached nobody is kept out.
    """

    def allow_request(self, request: Request, view: Any) -> bool:  # noqa: ARG002 -- REST framework's
        most = settings.API_REQUESTS_PER_MINUTE
        person = request.user.pk
        if not most or person is None:
            return True
        return _counted(f"api:{person}:{int(timezone.now().timestamp()) // MINUTE}") <= most

    def wait(self) -> float:
        """Return the seconds until the next minute."""
        return MINUTE - timezone.now().timestamp() % MINUTE


def _counted(key: str) -> int:
    try:
        try:
            return cache.incr(key)
        except ValueError:  # the first of this minute
            if cache.add(key, 1, timeout=2 * MINUTE):
                return 1
            return cache.incr(key)
    except Exception:
        logger.exception("requests are not counted")
        return 0
