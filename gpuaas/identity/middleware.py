"""Who has to have a second factor gets one before anything else."""

from collections.abc import Callable
from typing import Final

from allauth.mfa.adapter import get_adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse
from django_htmx.http import HttpResponseClientRedirect

from gpuaas.accounts.models import User

# What one needs to set a second factor up, and to leave.
_OPEN: Final = ("mfa_", "account_logout", "account_reauthenticate", "account_login")
CODE: Final = "second_factor_required"


class RequireSecondFactor:
    """Hold people with much power, or everybody, to a second factor (``GPUAAS_REQUIRE_MFA``).

    The browser session is what is held back, for pages, the admin site and the REST API alike.
    Who has no password here logs in with the directory, and the second factor is its matter.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.REQUIRE_MFA != "none" and _is_held_back(request):
            return _refusal(request)
        return self._get_response(request)


def _is_held_back(request: HttpRequest) -> bool:
    user = request.user
    if not isinstance(user, User) or not user.has_usable_password():
        return False
    if settings.REQUIRE_MFA == "staff" and not (user.is_staff or user.organisation_role):
        return False
    return not _is_open(request) and not get_adapter().is_mfa_enabled(user)


def _is_open(request: HttpRequest) -> bool:
    try:
        name = resolve(request.path_info).url_name or ""
    except Resolver404:
        return False
    return name.startswith(_OPEN)


def _refusal(request: HttpRequest) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        message = "Set up a second factor in the portal first, under Security."
        return JsonResponse({"code": CODE, "message": message, "details": {}}, status=403)
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(reverse("mfa_index"))
    return redirect("mfa_index")
