"""``/notices/``: what somebody was told; the bell; and reading."""

from typing import Final

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from gpuaas.accounts.models import User
from gpuaas.notifications import selectors, services
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.notices import notice_card
from gpuaas.portal.views.responses import unless_seen

PER_PAGE: Final = 20
MOST_SHOWN: Final = 99
UNREAD: Final = "unread"


@require_safe
@for_people
def notices(request: PortalRequest, user: User) -> HttpResponse:
    """Show what the person was told, newest first."""
    now = timezone.now()
    which = UNREAD if request.GET.get("which") == UNREAD else ""
    found = (
        selectors.unread_by(user, now=now) if which else selectors.notices_visible_to(user, now=now)
    )
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    cards = [notice_card(each) for each in page]
    context = {"cards": cards, "page": page, "which": which}
    return render(request, "portal/notices.html", context)


@require_safe
@for_people
def bell(request: PortalRequest, user: User) -> HttpResponse:
    """Show the bell with the number of unread notices; it asks again by itself."""
    unread = selectors.unread_by(user, now=timezone.now())[: MOST_SHOWN + 1]
    count = len(unread.values_list("pk"))
    shown = f"{MOST_SHOWN}+" if count > MOST_SHOWN else str(count)
    return unless_seen(request, str(count)) or render(
        request, "portal/_bell.html", {"count": count, "shown": shown, "asked": True}
    )


@require_POST
@for_people
def read(request: PortalRequest, user: User, number: int) -> HttpResponse:  # noqa: ARG001 -- as every view
    """Mark one notice as read, and go where it leads."""
    now = timezone.now()
    notice = get_object_or_404(selectors.notices_visible_to(user, now=now), pk=number)
    services.mark_read(person=user, notice=notice, now=now)
    return redirect(notice_card(notice).path)


@require_POST
@for_people
def read_all(request: PortalRequest, user: User) -> HttpResponse:  # noqa: ARG001 -- as every view
    """Mark everything as read."""
    services.mark_read(person=user, notice=None, now=timezone.now())
    return redirect("portal:notices")
