"""Answers that several pages give."""

from http import HTTPStatus

from django.http import HttpResponse

from gpuaas.portal.access import PortalRequest


def unless_seen(request: PortalRequest, fingerprint: str) -> HttpResponse | None:
    """Return an empty answer, which htmx ignores, when the browser shows just that already.

    So nothing flickers, nobody's focus is lost and screen readers hear of changes only.
    """
    if request.GET.get("seen") == fingerprint:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return None
