"""``/search/``: whatever one may see, by its name; also what the palette asks."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import CAN_BOOK, User
from gpuaas.inventory import selectors as inventory
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import search as cards
from reservations import selectors as reservations

LONGEST: Final = 80
AT_MOST: Final = 8
SHORTEST: Final = 2
LOOK_BACK: Final = timedelta(days=30)
"""Older bookings are found by their number: to look through all purposes is to read all rows."""


@require_safe
@for_people
def search(request: PortalRequest, user: User) -> HttpResponse:
    """Show what is called so, in groups of at most `AT_MOST`; with htmx the groups alone."""
    now = timezone.now()
    asked = " ".join(request.GET.get("q", "").replace("\0", "").split())[:LONGEST]
    groups = [cards.places(asked, roles=_roles(user, now))]
    if len(asked) >= SHORTEST:
        groups += _found(asked, user, now)
    context = {"asked": asked, "groups": [each for each in groups if each.hits]}
    part = "portal/_found.html" if request.htmx else "portal/search.html"
    return render(request, part, context)


def _roles(user: User, now: datetime) -> frozenset[str]:
    memberships = accounts.memberships_read(user, now=now)
    roles = {
        cards.ANYBODY: True,
        cards.BOOKERS: any(each.role in CAN_BOOK for each in memberships),
        cards.STAFF: user.is_staff,
        cards.PLATFORM: user.is_platform_admin,
    }
    return frozenset(name for name, has_it in roles.items() if has_it)


def _found(asked: str, user: User, now: datetime) -> list[cards.Group]:
    teams = accounts.teams_visible_to(user, now=now)
    of_teams = teams.filter(Q(name__icontains=asked) | Q(cost_centre__icontains=asked))
    of_pools = inventory.pools().filter(Q(name__icontains=asked) | Q(description__icontains=asked))
    return [
        cards.of_reservations(
            reservations.found_by(asked, reader=user, since=now - LOOK_BACK, now=now)[:AT_MOST]
        ),
        cards.of_teams(of_teams.order_by("-is_active", "name")[:AT_MOST]),
        cards.of_pools(of_pools[:AT_MOST]),
        cards.of_people(accounts.people_found_by(asked, reader=user, now=now)[:AT_MOST]),
    ]
