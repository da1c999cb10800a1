"""What somebody sees who has tried too often."""

import math
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from allauth.account import app_settings
from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

_APP: Final = "allauth.account"
# Where the limit goes by what was typed, which is not known here: the longest of those.
_LONGEST: Final = timedelta(minutes=5)


def too_many(request: HttpRequest) -> HttpResponse:
    """Say when to try again; allauth calls this when a limit is used up."""
    wait = max(_waits(request), default=_LONGEST)
    seconds = max(1, math.ceil(wait.total_seconds()))
    response = render(
        request,
        "429.html",
        {"again_at": timezone.now() + wait, "seconds": seconds, "minutes": -(-seconds // 60)},
        status=HTTPStatus.TOO_MANY_REQUESTS,
    )
    response["Retry-After"] = str(seconds)
    return response


def _waits(request: HttpRequest) -> Iterator[timedelta]:
    """Yield how long each limit that is used up, of this address or person, stays so."""
    now = timezone.now().timestamp()
    for action in app_settings.RATE_LIMITS:
        for rate in ratelimit.get_rates(app=_APP, action=action):
            if rate.per == "key" or (rate.per == "user" and not request.user.is_authenticated):
                continue
            counted = ratelimit.get_cache_key(request, app=_APP, action=action, rate=rate)
            tries = cache.get(counted, [])  # the newest first
            if len(tries) >= rate.amount:
                yield timedelta(seconds=max(tries[rate.amount - 1] + rate.duration - now, 0))
