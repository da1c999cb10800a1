"""What somebody sees who has tried too often."""

from datetime import timedelta
from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

# The longest of the limits that guard a login: five failures in five minutes.
WAIT: Final = timedelta(minutes=5)


def too_many(request: HttpRequest) -> HttpResponse:
    """Say when to try again; allauth calls this when a limit is used up."""
    again_at = timezone.now() + WAIT
    response = render(
        request,
        "429.html",
        {"again_at": again_at, "minutes": int(WAIT.total_seconds() // 60)},
        status=HTTPStatus.TOO_MANY_REQUESTS,
    )
    response["Retry-After"] = str(int(WAIT.total_seconds()))
    return response
