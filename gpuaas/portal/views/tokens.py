"""``/tokens/``: one's own API tokens."""

from datetime import timedelta
from http import HTTPStatus
from typing import Final

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from gpuaas.accounts import selectors, services
from gpuaas.accounts.models import TokenScope, User
from gpuaas.core.errors import DomainError
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.tokens import token_card
from gpuaas.portal.forms.teams import refuse
from gpuaas.portal.forms.tokens import TokenForm

PER_PAGE: Final = 25


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def tokens(request: PortalRequest, user: User) -> HttpResponse:
    """Show one's tokens; make one, and show its secret this once."""
    form = TokenForm(_typed(request), longest=settings.API_TOKEN_MAX_DAYS)
    if request.method != "POST" or not form.is_valid():
        return _page(request, user, form)
    now = timezone.now()
    try:
        made, secret = services.create_token(
            person=user,
            name=form.cleaned_data["name"],
            expires_at=now + timedelta(days=form.cleaned_data["days"]),
            scope=TokenScope(form.cleaned_data["scope"] or TokenScope.FULL),
            longest=timedelta(days=settings.API_TOKEN_MAX_DAYS),
            now=now,
        )
    except DomainError as refused:
        refuse(form, "name", refused)
        return _page(request, user, form)
    anew = TokenForm(longest=settings.API_TOKEN_MAX_DAYS)
    response = _page(request, user, anew, made={"name": made.name, "secret": secret})
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def revoke(request: PortalRequest, user: User, public_id: str) -> HttpResponse:
    """Ask, then end one of one's tokens for good."""
    now = timezone.now()
    found = get_object_or_404(selectors.tokens_of(user), public_id=public_id)
    if request.method != "POST":
        return render(request, "portal/token_revoke.html", {"token": token_card(found, now=now)})
    services.revoke_token(token=found, actor=user, now=now)
    messages.success(request, gettext("{found_name} works no more.").format(found_name=found.name))
    return redirect("portal:tokens")


def _typed(request: PortalRequest) -> "dict[str, str] | None":
    return request.POST.dict() if request.method == "POST" else None


def _page(
    request: PortalRequest, user: User, form: TokenForm, *, made: dict[str, str] | None = None
) -> HttpResponse:
    now = timezone.now()
    page = Paginator(selectors.tokens_of(user), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "made": made,
        "tokens": [token_card(each, now=now) for each in page],
        "page": page,
        "at_most": services.LIVE_AT_MOST,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "portal/tokens.html", context, status=status)
