"""``/calendar-links/``: the secret addresses of one's calendars; and the calendars themselves."""

from datetime import datetime
from http import HTTPStatus
from typing import Final

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.feeds import calendars, selectors, services
from gpuaas.inventory import selectors as inventory
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.calendar_links import feed_card, name_of

MINE, TEAM, POOL = "mine", "team", "pool"
# A calendar program asks a few times an hour; behind one address there may be many of them.
IN_A_MINUTE: Final = 60
TRY_AGAIN_SECONDS: Final = "60"


@require_safe
def calendar(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Answer a calendar program: whoever knows the address may read, and nobody logs in."""
    now = timezone.now()
    if _asks_too_often(request, now):
        again = {"Retry-After": TRY_AGAIN_SECONDS}
        return HttpResponse(status=HTTPStatus.TOO_MANY_REQUESTS, headers=again)
    feed = selectors.feed_behind(secret, now=now)
    if feed is None:
        raise Http404
    content = calendars.document(name_of(feed), selectors.entries_of(feed, now=now))
    response = HttpResponse(
        content,
        content_type="text/calendar; charset=utf-8",
        headers={
            "Cache-Control": "private, no-cache",
            "Content-Disposition": 'inline; filename="gpuaas.ics"',
            "ETag": calendars.etag_of(content),
            "X-Robots-Tag": "noindex",
        },
    )
    same = get_conditional_response(request, etag=response["ETag"], response=response)
    return same or response


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def links(request: PortalRequest, user: User) -> HttpResponse:
    """Show one's calendar links; make one, and show its address this once."""
    if request.method != "POST":
        return _page(request, user)
    now = timezone.now()
    kind, _, name = request.POST.get("of", "").partition(":")
    team = pool = None
    if kind == TEAM:
        visible = accounts.teams_visible_to(user, now=now).filter(is_active=True)
        team = get_object_or_404(visible, slug=name)
    elif kind == POOL:
        pool = get_object_or_404(inventory.pools(), slug=name)
    elif kind != MINE:
        return _page(request, user, wrong=gettext("Choose what the calendar is of."))
    try:
        feed, secret = services.create_feed(person=user, team=team, pool=pool, now=now)
    except DomainError as refused:
        return _page(request, user, wrong=f"{str(refused).capitalize()}.")
    made = {"title": feed_card(feed).title, "url": address_of(secret)}
    response = _page(request, user, made=made)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@for_people
def revoke_link(request: PortalRequest, user: User, number: int) -> HttpResponse:
    """Let nobody read at that address any more."""
    feed = get_object_or_404(selectors.feeds_of(user), pk=number)
    services.revoke_feed(feed=feed, now=timezone.now())
    messages.success(request, gettext("Revoked. Calendars that read there get nothing any more."))
    return redirect("portal:calendar_links")


def _asks_too_often(request: HttpRequest, now: datetime) -> bool:
    key = f"calendar:{get_adapter().get_client_ip(request)}:{now:%H%M}"
    cache.add(key, 0, timeout=2 * int(TRY_AGAIN_SECONDS))
    return cache.incr(key) > IN_A_MINUTE


def address_of(secret: str) -> str:
    """Return the whole address of a calendar."""
    return settings.BASE_URL.rstrip("/") + reverse("portal:calendar", args=[secret])


def _page(
    request: PortalRequest, user: User, *, made: dict[str, str] | None = None, wrong: str = ""
) -> HttpResponse:
    teams = accounts.teams_visible_to(user, now=timezone.now()).filter(is_active=True)
    context = {
        "feeds": [feed_card(each) for each in selectors.feeds_of(user)],
        "teams": [(f"{TEAM}:{each.slug}", each.name) for each in teams.order_by("name")],
        "pools": [(f"{POOL}:{each.slug}", str(each)) for each in inventory.pools()],
        "made": made,
        "wrong": wrong,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return render(request, "portal/calendar_links.html", context, status=status)
