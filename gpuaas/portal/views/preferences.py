"""``/notices/preferences/``: what somebody wants to hear of, and where."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.notifications import selectors, services
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.notices import CHANNEL, rows, webhook_card


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def preferences(request: PortalRequest, user: User) -> HttpResponse:
    """Show the table of events and channels; keep what was ticked."""
    if request.method != "POST":
        return _page(request, user)
    ticked = set(request.POST.getlist("on"))
    wanted = {
        (event, channel): f"{event}/{channel.value}" in ticked
        for event, channel in selectors.preferences_of(user)
    }
    services.prefer_all(person=user, wanted=wanted)
    messages.success(request, gettext("Saved. It counts for what comes from now on."))
    return redirect("portal:preferences")


@require_POST
@for_people
def webhook(request: PortalRequest, user: User, team: str = "") -> HttpResponse:
    """Set or remove one's own webhook, or that of a team one manages."""
    now = timezone.now()
    managed = accounts.teams_managed_by(user, now=now)
    of = get_object_or_404(managed, slug=team) if team else None
    if "remove" in request.POST:
        services.remove_webhook(actor=user, team=of, now=now)
        messages.success(request, gettext("Nothing is sent there any more."))
        return redirect("portal:preferences")
    url = request.POST.get("url", "").strip()
    try:
        services.set_webhook(actor=user, team=of, url=url, now=now)
    except DomainError as refused:
        return _page(request, user, wrong={"team": team, "url": url, "message": str(refused)})
    messages.success(request, gettext("Set. Its secret is new: tell it to the receiver."))
    return redirect("portal:preferences")


def _page(
    request: PortalRequest, user: User, *, wrong: dict[str, str] | None = None
) -> HttpResponse:
    managed = list(accounts.teams_managed_by(user, now=timezone.now()))
    of_teams = selectors.webhooks_of(managed)
    context = {
        "rows": rows(selectors.preferences_of(user)),
        "channels": list(CHANNEL.values()),
        "email": user.email,
        "webhooks": [
            webhook_card(selectors.webhook_of(person=user), title=gettext("Mine")),
            *(
                webhook_card(of_teams.get(team.pk), title=team.name, team=team.slug)
                for team in managed
            ),
        ],
        "wrong": wrong,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return render(request, "portal/preferences.html", context, status=status)
