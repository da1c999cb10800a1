"""``/series/``: bookings that repeat, and what became of each."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from gpuaas.accounts.models import User
from gpuaas.core.paging import leaf_of
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.series import occurrence_cards, series_card
from reservations import selectors, services

PER_PAGE: Final = 20


@require_safe
@for_people
def all_series(request: PortalRequest, user: User) -> HttpResponse:
    """Show the series that the person may see, the newest first."""
    found = selectors.with_counts(selectors.series_visible_to(user, now=timezone.now()))
    page = leaf_of(found, request.GET.get("page"), per_page=PER_PAGE)
    context = {"cards": [series_card(each) for each in page.rows], "page": page}
    return render(request, "portal/all_series.html", context)


@require_safe
@for_people
def series(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Show one of them, window by window."""
    now = timezone.now()
    visible = selectors.with_counts(selectors.series_visible_to(user, now=now))
    found = get_object_or_404(visible, public_id=public_id)
    cards = occurrence_cards(found, selectors.occurrences_of(found))
    mine = selectors.series_changeable_by(user, now=now).filter(pk=found.pk)
    context = {
        "card": series_card(found),
        "occurrences": cards,
        "may_cancel": selectors.not_started_of(found).exists() and mine.exists(),
    }
    return render(request, "portal/series.html", context)


@require_POST
@for_people
def cancel(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Cancel what of it has not started."""
    now = timezone.now()
    found = get_object_or_404(selectors.series_changeable_by(user, now=now), public_id=public_id)
    canceled = services.cancel_series(series=found, actor=user, now=now)
    messages.success(
        request, gettext("Canceled: {len} of it. What runs goes on.").format(len=len(canceled))
    )
    return redirect("portal:series", public_id)
