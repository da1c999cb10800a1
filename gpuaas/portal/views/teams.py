"""``/teams/``: the teams, and one of them with its limits and its people."""

from typing import Any, Final

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from gpuaas.accounts import permissions, selectors
from gpuaas.accounts.models import User
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import limits
from gpuaas.portal.cards import teams as cards
from reservations import facts, policy, usage

PER_PAGE: Final = 25
PEOPLE_PER_PAGE: Final = 50


@require_safe
@for_people
def teams(request: PortalRequest, user: User) -> HttpResponse:
    """Show the teams that the person sees, archived ones last."""
    now = timezone.now()
    asked = request.GET.get("q", "").strip()[:80]
    found = selectors.teams_visible_to(user, now=now)
    is_empty = not found.exists()
    if asked:
        found = found.filter(Q(name__icontains=asked) | Q(cost_centre__icontains=asked))
    rows = selectors.with_people(found, reader=user, now=now).order_by("-is_active", "name")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "cards": [cards.team_card(each, people=each.people, role=each.own_role) for each in page],
        "page": page,
        "asked": asked,
        "is_empty": is_empty,
        "may_create": user.is_platform_admin,
    }
    return render(request, "portal/teams.html", context)


@require_safe
@for_people
def team(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Show one team: what it may use and has used, and who is in it."""
    now = timezone.now()
    visible = selectors.teams_visible_to(user, now=now)
    found = get_object_or_404(selectors.with_people(visible, reader=user, now=now), slug=slug)
    (rules, pools), used = facts.team_rules(found), facts.used_by(found, now=now)
    members = selectors.members_of(found)
    page = Paginator(members, PEOPLE_PER_PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "team": cards.team_card(found, people=found.people, role=found.own_role),
        "limits": limits.limits_card(
            rules,
            pools=tuple(str(each) for each in pools),
            used=used,
            currency=rules.currency or settings.CURRENCY,
        ),
        "hours": cards.hours_facts(usage.of_team(found, within=policy.month_of(now), now=now)),
        "members": [cards.member_card(each, reader=user, now=now) for each in page],
        "page": page,
        "may_manage": permissions.may_manage_team(user=user, team=found, now=now),
        "may_administer": user.is_platform_admin,
    }
    return render(request, "portal/team.html", context)
