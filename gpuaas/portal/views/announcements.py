"""``/announcements/``: what everybody is told right now, as a part of every page."""

from typing import Final

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from gpuaas.accounts.models import User
from gpuaas.notifications import selectors, services
from gpuaas.portal.access import PortalRequest, for_people

AT_MOST: Final = 3


@require_safe
@for_people
def announcements(request: PortalRequest, user: User) -> HttpResponse:
    """Show what is announced and was not dismissed."""
    found = selectors.announcements_for(user, now=timezone.now())[:AT_MOST]
    part = "portal/_announcements.html" if request.htmx else "portal/announcements.html"
    return render(request, part, {"announcements": list(found)})


@require_POST
@for_people
def dismiss(request: PortalRequest, user: User, number: int) -> HttpResponse:
    """Show the person one of them no more."""
    now = timezone.now()
    found = get_object_or_404(selectors.announcements_for(user, now=now), pk=number)
    services.dismiss(announcement=found, person=user, now=now)
    return _left(request, user) if request.htmx else redirect("portal:home")


def _left(request: PortalRequest, user: User) -> HttpResponse:
    """Show what is left after one was dismissed."""
    found = selectors.announcements_for(user, now=timezone.now())[:AT_MOST]
    return render(request, "portal/_announcements.html", {"announcements": list(found)})
