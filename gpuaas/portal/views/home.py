"""``/``: what runs, what comes, what is free, what is closed, what the team may still spend."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import CAN_BOOK, User
from gpuaas.inventory import selectors as inventory
from gpuaas.notifications import selectors as notifications
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import bookings, first_run, limits
from gpuaas.portal.cards.bookings import BookingCard
from gpuaas.portal.cards.hardware import closure_card
from gpuaas.portal.cards.types import PoolCard, pool_card
from gpuaas.portal.views.announcements import AT_MOST
from gpuaas.portal.views.responses import unless_seen
from reservations import availability, facts, selectors, services
from reservations.lifecycle import State
from sessions import selectors as sessions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpuaas.accounts.models import Membership, Team
    from gpuaas.inventory.models import Closure

NEXT_AT_MOST = 8
CLOSURES_AT_MOST = 3


@require_safe
@for_people
def home(request: PortalRequest, user: User) -> HttpResponse:
    """Show the start page."""
    now = timezone.now()
    team = next((each.team for each in _booking(user, now) if each.team.is_active), None)
    closures = list(
        inventory.coming_closures(now=now).filter(starts_at__lt=now + availability.LOOK_AHEAD)
    )
    context = {
        **_mine(user, now),
        "announcements": list(notifications.announcements_for(user, now=now)[:AT_MOST]),
        "first_steps": _first_steps() if user.is_platform_admin else (),
        "pools": pool_cards(now, closures=closures),
        "may_book": team is not None,
        "team": team,
        "budget": _budget(team, now) if team else None,
        "closures": [closure_card(each, now=now) for each in closures[:CLOSURES_AT_MOST]],
    }
    return render(request, "portal/home.html", context)


@require_safe
@for_people
def mine(request: PortalRequest, user: User) -> HttpResponse:
    """Show the part of the start page that changes by itself: my sessions and next bookings."""
    context = _mine(user, timezone.now())
    return unless_seen(request, str(context["fingerprint"])) or render(
        request, "portal/_mine.html", context
    )


def pool_cards(now: datetime, *, closures: "Sequence[Closure] | None" = None) -> list[PoolCard]:
    """Return every pool with what is free of each type and the fair share of one unit."""
    return [
        pool_card(
            found.pool,
            [(each, services.default_share(each.type, size=found.size)) for each in found.types],
        )
        for found in availability.of_all(list(inventory.pools()), now=now, closures=closures)
    ]


def _first_steps() -> tuple[first_run.Step, ...]:
    """Return what is to be done before anybody can book; nothing as soon as somebody has."""
    if selectors.has_any():
        return ()
    return first_run.steps(
        cluster=inventory.clusters().exists(),
        hardware=inventory.has_hardware(),
        pool=inventory.has_pooled_nodes(),
        people=accounts.has_members(),
    )


def _budget(team: "Team", now: datetime) -> limits.Meter | None:
    """Return the budget of ``team`` this month; None where it has none."""
    rules, _ = facts.team_rules(team)
    if rules.budget_minor is None:
        return None
    used = facts.used_by(team, now=now)
    return limits.budget_meter(rules.budget_minor, used, rules.currency or settings.CURRENCY)


def _booking(user: User, now: datetime) -> "list[Membership]":
    """Return the memberships with which ``user`` books and changes, by the team's name."""
    return [each for each in accounts.memberships_read(user, now=now) if each.role in CAN_BOOK]


def _mine(user: User, now: datetime) -> dict[str, object]:
    cards = _cards(user, now)
    return {
        "running": [card for card in cards if card.badge.state == State.ACTIVE],
        "coming": [card for card in cards if card.badge.state != State.ACTIVE],
        "fingerprint": bookings.fingerprint(cards),
    }


def _cards(user: User, now: datetime) -> list[BookingCard]:
    found = selectors.with_flags(selectors.not_over_of(user, now=now)).select_related(
        "workspace", "pool__cluster"
    )[:NEXT_AT_MOST]
    changeable = {each.team_id for each in _booking(user, now)}
    return [
        bookings.booking_card(
            each,
            workspace_url=(
                sessions.workspace_url(session) if (session := bookings.session_of(each)) else ""
            ),
            may_change=each.team_id in changeable or user.is_platform_admin,
            now=now,
        )
        for each in found
    ]
