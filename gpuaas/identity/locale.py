"""Whose language and time zone a request is answered in."""

import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from gpuaas.accounts.models import User

# Programs say what they read with each request; a person's choice is for pages.
_PROGRAMS: Final = ("/api/", "/health", "/metrics")


class InTheirLanguage:
    """Answer in the person's language and time zone, or else in what the browser asks for.

    The person is read with the session anyway: choosing costs no query.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = None if request.path_info.startswith(_PROGRAMS) else request.user
        person = user if isinstance(user, User) else None
        asked = translation.get_language_from_request(request)
        with as_for(person, otherwise=asked):
            response = self._get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or asked)
        patch_vary_headers(response, ("Accept-Language",))
        return response


@contextmanager
def as_for(person: User | None, *, otherwise: str) -> Iterator[None]:
    """Speak ``person``'s language in their time zone; ``otherwise``, and UTC, without a choice."""
    language = (person and person.language) or otherwise
    zone = zoneinfo.ZoneInfo(person.time_zone) if person and person.time_zone else None
    with translation.override(language), timezone.override(zone or timezone.get_default_timezone()):
        yield
