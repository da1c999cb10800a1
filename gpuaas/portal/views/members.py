"""``/teams/<slug>/members/``: letting people in, changing what they may, taking them out."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from gpuaas.accounts import permissions, selectors, services
from gpuaas.accounts.models import Membership, MembershipRole, Team, User
from gpuaas.core.errors import DomainError
from gpuaas.core.sentences import in_language
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import teams as cards
from gpuaas.portal.forms.teams import MemberForm, NewMemberForm, refuse


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def add(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Let somebody into the team."""
    now = timezone.now()
    team = _managed(user, slug, now)
    form = NewMemberForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        person = form.cleaned_data["person"]
        try:
            services.invite(
                team=team,
                user=person,
                role=MembershipRole(form.cleaned_data["role"]),
                expires_at=form.cleaned_data["expires_at"],
                actor=user,
                now=now,
            )
        except services.ExpiryPast as refused:
            refuse(form, "expires_at", refused)
        except DomainError as refused:
            refuse(form, "person", refused)
        else:
            messages.success(
                request, gettext("{name_of} is in the team.").format(name_of=cards.name_of(person))
            )
            return redirect("portal:team", slug)
    return _page(request, "portal/member_add.html", {"form": form, "team": team})


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def change(request: PortalRequest, user: User, slug: str, number: int) -> HttpResponse:
    """Give a member another role, or another end."""
    now = timezone.now()
    found = _membership(_managed(user, slug, now), number)
    initial = {"role": found.role, "expires_at": found.expires_at}
    form = MemberForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_member(
                membership=found,
                role=MembershipRole(form.cleaned_data["role"]),
                expires_at=_same_or(form.cleaned_data["expires_at"], found.expires_at),
                actor=user,
                now=now,
            )
        except services.ExpiryPast as refused:
            refuse(form, "expires_at", refused)
        except DomainError as refused:
            refuse(form, None, refused)
        else:
            messages.success(
                request, gettext("{name_of} was changed.").format(name_of=cards.name_of(found.user))
            )
            return redirect("portal:team", slug)
    context = {"form": form, "team": found.team, "member": _card(found, user, now)}
    return _page(request, "portal/member.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def remove(request: PortalRequest, user: User, slug: str, number: int) -> HttpResponse:
    """Ask, then take somebody out of the team."""
    now = timezone.now()
    found = _membership(_managed(user, slug, now), number)
    if request.method != "POST":
        context = {"team": found.team, "member": _card(found, user, now)}
        return render(request, "portal/member_remove.html", context)
    try:
        services.remove_member(membership=found, actor=user, now=now)
    except DomainError as refused:
        messages.error(
            request,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
    else:
        messages.success(
            request,
            gettext("{name_of} is out of the team.").format(name_of=cards.name_of(found.user)),
        )
    is_still_seen = selectors.teams_visible_to(user, now=now).filter(pk=found.team_id).exists()
    return redirect("portal:team", slug) if is_still_seen else redirect("portal:teams")


def _managed(user: User, slug: str, now: datetime) -> Team:
    team = get_object_or_404(selectors.teams_visible_to(user, now=now), slug=slug)
    if not permissions.may_manage_team(user=user, team=team, now=now):
        raise PermissionDenied
    return team


def _membership(team: Team, number: int) -> Membership:
    return get_object_or_404(selectors.members_of(team), pk=number)


def _card(membership: Membership, user: User, now: datetime) -> cards.MemberCard:
    return cards.member_card(membership, reader=user, now=now)


def _same_or(typed: datetime | None, before: datetime | None) -> datetime | None:
    """Return what was ``before`` where it was typed again: inputs know minutes only."""
    if typed and before and typed == before.replace(second=0, microsecond=0):
        return before
    return typed


def _page(request: PortalRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if context["form"].errors else HTTPStatus.OK
    return render(request, template, {**context, "roles": cards.ROLES}, status=status)
