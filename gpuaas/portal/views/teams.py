"""``/teams/``: the teams, and one of them with its limits and its people."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from gpuaas.accounts import selectors
from gpuaas.accounts.models import User
from gpuaas.core.paging import leaf_of
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import limits
from gpuaas.portal.cards import teams as cards
from gpuaas.portal.cards.bookings import BookingCard, booking_card
from gpuaas.portal.cards.usage import MonthCard, month_card
from reservations import facts, policy, usage
from reservations import selectors as reservations
from reservations.capacity import Window
from tokenomics.selectors.usage import gpu_time_of

if TYPE_CHECKING:
    from gpuaas.accounts.models import Team
    from reservations.usage import Usage

PER_PAGE: Final = 25
PEOPLE_PER_PAGE: Final = 50
BOOKINGS: Final = 6


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
    """Show one team: what it may use and has used, what it has booked, and who is in it."""
    now = timezone.now()
    visible = selectors.teams_visible_to(user, now=now)
    found = get_object_or_404(selectors.with_people(visible, reader=user, now=now), slug=slug)
    (rules, pools), used = facts.team_rules(found), facts.used_by(found, now=now)
    page = leaf_of(selectors.members_of(found), request.GET.get("page"), per_page=PEOPLE_PER_PAGE)
    context: dict[str, Any] = {
        "team": cards.team_card(found, people=found.people, role=found.own_role),
        "limits": limits.limits_card(
            rules,
            pools=tuple(str(each) for each in pools),
            used=used,
            currency=rules.currency or settings.CURRENCY,
        ),
        "bookings": _bookings(found, now),
        "members": [cards.member_card(each, reader=user, now=now) for each in page.rows],
        "page": page,
        "may_manage": selectors.manages(found.pk, person=user, now=now),
        "may_administer": user.is_platform_admin,
    }
    return render(request, "portal/team.html", context)


@require_safe
@for_people
def month(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Show what the team's month was used for: as a part of its page, or by itself.

    GPU telemetry and days are for those who answer for the team.
    """
    now = timezone.now()
    found = get_object_or_404(selectors.teams_visible_to(user, now=now), slug=slug)
    of_month = policy.month_of(now)
    rows = usage.of_team(found, within=of_month, now=now, by=("day",))
    answers = selectors.sees_every_team(user) or selectors.manages(found.pk, person=user, now=now)
    context = {
        "team": cards.team_card(found, people=0, role=None),
        "hours": cards.hours_facts(rows),
        "month": _month(found, rows, of_month, now) if answers else None,
    }
    part = "portal/_team_month.html" if request.htmx else "portal/team_month.html"
    return render(request, part, context)


def _month(team: "Team", rows: "list[Usage]", of: Window, now: datetime) -> MonthCard:
    rules, _ = facts.team_rules(team)
    return month_card(
        rows,
        month=of,
        today=now.astimezone(UTC).date(),
        gpu=gpu_time_of(team, within=of),
        budget_minor=rules.budget_minor,
        currency=rules.currency or settings.CURRENCY,
    )


def _bookings(team: "Team", now: datetime) -> list[BookingCard]:
    """Return what of the team's runs and comes next."""
    rows = reservations.not_over_of_team(team).select_related("workspace")
    found = reservations.with_flags(rows)
    return [booking_card(each, may_change=False, now=now) for each in found[:BOOKINGS]]
