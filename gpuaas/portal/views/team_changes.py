"""Making, changing and archiving teams, and setting their limits: by platform administrators."""

from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from gpuaas.accounts import selectors, services
from gpuaas.accounts.models import Team, User
from gpuaas.core.errors import DomainError
from gpuaas.inventory import selectors as inventory
from gpuaas.portal.access import PortalRequest, for_administrators, for_people
from gpuaas.portal.forms.rules import LimitsForm, show_problems
from gpuaas.portal.forms.teams import NewTeamForm, TeamForm, refuse
from reservations import facts
from reservations import services as reservations


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
@for_administrators
def create(request: PortalRequest, user: User) -> HttpResponse:
    """Make a team."""
    form = NewTeamForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_team(**form.cleaned_data, actor=user, now=timezone.now())
        except services.TeamTaken as refused:
            refuse(form, "name", refused)
        else:
            messages.success(request, gettext("Made. Add somebody who looks after it."))
            return redirect("portal:team", made.slug)
    return _page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
@for_administrators
def edit(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Change what a team is called, and who pays."""
    team = _team(user, slug)
    initial = {name: getattr(team, name) for name in TeamForm.base_fields}
    form = TeamForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        changes: dict[str, object] = dict(form.cleaned_data)
        try:
            services.change_team(team=team, changes=changes, actor=user, now=timezone.now())
        except services.TeamTaken as refused:
            team.refresh_from_db()
            refuse(form, "name", refused)
        else:
            messages.success(request, gettext("Saved."))
            return redirect("portal:team", slug)
    return _page(request, form, team)


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
@for_administrators
def archive(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Ask, then archive a team, or bring it back."""
    team = _team(user, slug)
    if request.method != "POST":
        return render(request, "portal/team_archive.html", {"team": team})
    changes: dict[str, object] = {"is_active": request.POST.get("is_active") == "yes"}
    services.change_team(team=team, changes=changes, actor=user, now=timezone.now())
    messages.success(
        request, gettext("It books again.") if team.is_active else gettext("Archived.")
    )
    return redirect("portal:team", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
@for_administrators
def limits(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Set what a team may use."""
    team = _team(user, slug)
    pools = {pool.slug: pool for pool in inventory.pools()}
    rules, allowed = facts.team_rules(team)
    initial = {name: getattr(rules, name) for name in facts.OF_TEAM}
    initial["pools"] = [pool.slug for pool in allowed]
    form = LimitsForm(
        request.POST if request.method == "POST" else None,
        initial=initial,
        pools=[(pool.slug, pool.name) for pool in pools.values()],
    )
    if request.method == "POST" and form.is_valid():
        try:
            reservations.set_team_rules(
                team=team,
                changes=form.changes,
                pools=[pools[each] for each in form.cleaned_data["pools"]],
                actor=user,
                now=timezone.now(),
            )
        except reservations.RulesRefused as refused:
            show_problems(form, refused)
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, gettext("Set. It counts for what is booked from now on."))
            return redirect("portal:team", slug)
    context = {"form": form, "team": team, "numbers": [f for f in form if f.name != "pools"]}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "portal/team_limits.html", context, status=status)


def _team(user: User, slug: str) -> Team:
    return get_object_or_404(selectors.teams_visible_to(user, now=timezone.now()), slug=slug)


def _page(request: PortalRequest, form: forms.Form, team: Team | None) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "team": team}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "portal/team_edit.html", context, status=status)
