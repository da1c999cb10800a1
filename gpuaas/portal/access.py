"""Who may look: signed-in people, and nobody else."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django_htmx.http import HttpResponseClientRefresh
from django_htmx.middleware import HtmxDetails

from gpuaas.accounts.models import User

P = ParamSpec("P")


class PortalRequest(HttpRequest):
    """A request as the middleware leaves it."""

    htmx: HtmxDetails


View = Callable[Concatenate[PortalRequest, P], HttpResponseBase]
PersonalView = Callable[Concatenate[PortalRequest, User, P], HttpResponseBase]


def for_people(view: PersonalView[P]) -> View[P]:
    """Call ``view`` with the signed-in user; send others to the login page.

    A part that refreshes itself cannot show a login form: it reloads its page instead.
    """

    @wraps(view)
    def guarded(request: PortalRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if isinstance(request.user, User):
            return view(request, request.user, *args, **kwargs)
        if request.htmx:
            return HttpResponseClientRefresh()
        return redirect_to_login(request.get_full_path())

    return guarded


def for_administrators(
    view: PersonalView[P],
) -> PersonalView[P]:
    """Call ``view`` for platform administrators; others are told that it is not theirs."""

    @wraps(view)
    def guarded(
        request: PortalRequest, user: User, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        if not user.is_platform_admin:
            raise PermissionDenied
        return view(request, user, *args, **kwargs)

    return guarded
