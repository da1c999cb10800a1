"""``/api/v1/docs/``: the OpenAPI document to look at and try out, for people."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
@login_required
def docs(request: HttpRequest) -> HttpResponse:
    """Show every operation; what is tried out is done as the person who is logged in."""
    return render(request, "api/docs.html")
