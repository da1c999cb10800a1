"""Who is asking."""

from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from gpuaas.accounts.models import User


def caller(request: Request) -> User:
    """Return the person who is logged in."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user
