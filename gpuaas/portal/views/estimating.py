"""``/book/estimate/``: what the form that is being filled in would cost, and when there is room."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.inventory import selectors as inventory
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.estimate import EstimateCard, estimate_card
from gpuaas.portal.cards.types import TypeChoice, type_choice
from gpuaas.portal.forms.booking import BookingForm
from reservations import policy, services
from reservations.capacity import Window

if TYPE_CHECKING:
    from gpuaas.accounts.models import Team
    from gpuaas.inventory.models import Pool

LOOK_AHEAD: Final = timedelta(days=14)
LOOKED_FROM: Final = "looked_from"


@never_cache
@require_POST
@for_people
def estimate(request: PortalRequest, user: User) -> HttpResponse:
    """Show what the form would cost as it is; nothing is booked."""
    found = estimate_of(request.POST, user, now=timezone.now())
    return render(request, "portal/_estimate.html", {"estimate": found, "is_update": True})


def estimate_of(typed: QueryDict, user: User, *, now: datetime) -> EstimateCard | None:
    """Return what ``typed`` would cost and when there is room; None while too little is typed."""
    team, pool, types = sent_for(typed, user, now)
    form = BookingForm(typed, user=user, teams=[team] if team else [], types=types, now=now)
    form.full_clean()
    wish = form.wish()
    if pool is None or team is None or wish is None:
        return None
    if not timedelta(0) < wish.window.length <= policy.LONGEST:
        return None
    since = _since(typed, wish.window, now)
    found = services.estimate(
        pool=pool, team=team, wish=wish, since=since, until=since + LOOK_AHEAD, now=now
    )
    return estimate_card(
        found,
        wished=wish.window,
        since=since,
        repeats=bool(typed.get("repeat")),
        problems=[form.in_plain_words(each.message) for each in found.problems],
    )


def sent_for(
    typed: QueryDict, user: User, now: datetime
) -> "tuple[Team | None, Pool | None, Sequence[TypeChoice]]":
    """Return the one team, pool and type that a form asks for: it needs no others.

    No team where the person does not book for it.  What was asked of the database for it,
    admission need not ask again.
    """
    team = accounts.team_called(typed.get("team", ""), reader=user, now=now)
    if team and not accounts.may_book_for(team, person=user, now=now):
        team = None
    slug, _, resource_name = typed.get("type", "").partition("/")
    pool = inventory.pool_called(slug)
    usual = pool and services.usual_of(pool=pool, resource_name=resource_name)
    return team, pool, [type_choice(pool, *usual)] if pool and usual else []


def _since(typed: QueryDict, wished: Window, now: datetime) -> datetime:
    """Return from when on to look: from where it was looked before, so that choices stay."""
    try:
        before = parse_datetime(typed.get(LOOKED_FROM, ""))
    except ValueError:
        before = None
    earliest = max(wished.starts_at, now)
    if before is None or before.tzinfo is None or before > earliest:
        return earliest
    return max(before, now)
