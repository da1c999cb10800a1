"""Addresses below ``/api/`` that no view answers, in the API's one form of error."""

from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views import defaults

from gpuaas.api.errors import body_of

BELOW: Final = "/api/"


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Say that there is nothing, to programs in JSON, to people on a page."""
    if request.path.startswith(BELOW):
        body = body_of("not_found", "There is nothing at this address.")
        return JsonResponse(body, status=HTTPStatus.NOT_FOUND)
    return defaults.page_not_found(request, exception)


def broken(request: HttpRequest) -> HttpResponseBase:
    """Say that we made a mistake; it is in the log."""
    if request.path.startswith(BELOW):
        body = body_of("internal", "Something broke on our side; it is in the log.")
        return JsonResponse(body, status=HTTPStatus.INTERNAL_SERVER_ERROR)
    return defaults.server_error(request)
