"""``/reservations/``: the list, one reservation, and what can be done with it."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.audit import selectors as audit
from gpuaas.core.errors import DomainError
from gpuaas.core.paging import leaf_of
from gpuaas.core.sentences import in_language
from gpuaas.inventory import selectors as inventory
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import bookings
from gpuaas.portal.cards.activity import activity_card
from gpuaas.portal.cards.devices import DevicesCard, devices_card
from gpuaas.portal.cards.ending import CANCEL, GIVE_BACK, Ending
from gpuaas.portal.cards.limits import Meter
from gpuaas.portal.cards.offers import offer_card
from gpuaas.portal.cards.quota import quota_meters
from gpuaas.portal.cards.serving import examples_for
from gpuaas.portal.cards.sharing import SharingCard, sharing_card
from gpuaas.portal.cards.story import Story, history_lines, story_of
from gpuaas.portal.views import connecting
from gpuaas.portal.views.responses import unless_seen
from reservations import selectors, services
from reservations.lifecycle import TERMINAL, PendingOn, State
from sessions import selectors as sessions
from sessions.services import StaleSession, record_visit
from sessions.services import resume as resume_session
from tokenomics import selectors as tokenomics

if TYPE_CHECKING:
    from reservations.models import Reservation
    from sessions.models import WorkspaceSession

PER_PAGE: Final = 20
MINE, TEAM, APPROVE = "mine", "team", "approve"


@require_safe
@for_people
def reservations(request: PortalRequest, user: User) -> HttpResponse:
    """Show the bookings that the person may see, newest first."""
    now = timezone.now()
    reach = {
        MINE: selectors.booked_by,
        TEAM: selectors.reservations_visible_to,
        APPROVE: selectors.approvals_for,
    }
    whose = request.GET.get("whose", MINE)
    whose = whose if whose in reach else MINE
    state = request.GET.get("state", "")
    found = reach[whose](user, now=now)
    if state in State.__members__:
        found = found.filter(state=state)
    rows = selectors.with_flags(found.select_related("workspace"))
    page = leaf_of(rows, request.GET.get("page"), per_page=PER_PAGE)
    context = {
        "cards": [bookings.booking_card(each, may_change=False, now=now) for each in page.rows],
        "page": page,
        "whose": whose,
        "state": state,
        "states": [bookings.badge(each) for each in State],
        "to_approve": selectors.approvals_for(user, now=now)[:100].count(),
    }
    return render(request, "portal/reservations.html", context)


@require_safe
@for_people
def reservation(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Show one reservation."""
    now = timezone.now()
    found = _visible(user, public_id, now)
    context = {
        **_live_context(found, user, now),
        **_since_ready(found),
        "reservation": found,
        "history": history_lines(audit.history_of(found.subject)),
        "series": selectors.series_of(found),
        "may_keep": found.team.is_active
        and accounts.books_for(found.team_id, person=user, now=now),
        "sharing": _sharing(found, user, now),
        "connect": connecting.card_of(found, user, now),
    }
    return render(request, "portal/reservation.html", context)


@require_safe
@for_people
def live(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Show the part of a reservation's page that changes by itself."""
    now = timezone.now()
    found = _visible(user, public_id, now)
    context = _live_context(found, user, now)
    same = unless_seen(request, str(context["fingerprint"]))
    if same is not None:
        return same
    context |= {"history": history_lines(audit.history_of(found.subject)), "is_update": True}
    return render(request, "portal/_live.html", context)


@require_safe
@for_people
def activity(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Show what a session's GPUs and models did: as a part of its page, or by itself."""
    now = timezone.now()
    found = _visible(user, public_id, now)
    card = bookings.booking_card(found, may_change=False, now=now)
    context = {"card": card, **_activity_of(found, now)}
    part = "portal/_activity.html" if request.htmx else "portal/activity.html"
    return render(request, part, context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def give_back(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Ask, then end an active reservation early."""
    return _end(request, user, public_id, GIVE_BACK, services.give_back)


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def cancel(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Ask, then cancel a reservation, started or not."""
    return _end(request, user, public_id, CANCEL, services.cancel)


@require_POST
@for_people
def open_workspace(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Note that the workspace is used, and go there.

    A page goes on to the workspace: a redirect of a form to another origin is refused by the
    browser, whose policy knows no address of any workspace.
    """
    now = timezone.now()
    found = _visible(user, public_id, now)
    session = bookings.session_of(found)
    if session is None:
        return redirect(_page_of(found))
    try:
        record_visit(session=session, actor=user, now=now)
    except StaleSession as refused:
        messages.error(request, f"{refused}.")
        return redirect(_page_of(found))
    return render(request, "portal/opening.html", {"address": sessions.workspace_url(session)})


@require_POST
@for_people
def resume(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Start a workspace again that was paused because nobody used it."""
    now = timezone.now()
    found = get_object_or_404(
        selectors.reservations_changeable_by(user, now=now), public_id=public_id
    )
    session = bookings.session_of(found)
    try:
        if session is not None:
            resume_session(session=session, actor=user, now=now)
    except StaleSession as refused:
        messages.error(
            request,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
    return redirect(_page_of(found))


@require_POST
@for_people
def accept_offer(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Exchange a booking in trouble for one of its offers."""
    now = timezone.now()
    found = get_object_or_404(
        selectors.reservations_changeable_by(user, now=now), public_id=public_id
    )
    number = request.POST.get("offer", "")
    try:
        booked = services.accept_offer(reservation=found, number=number, actor=user, now=now)
    except DomainError as refused:
        messages.error(
            request,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
        return redirect(_page_of(found))
    messages.success(request, gettext("Exchanged. This is your new booking."))
    return redirect(_page_of(booked))


def _end(
    request: PortalRequest,
    user: User,
    public_id: UUID,
    ending: Ending,
    service: Callable[..., None],
) -> HttpResponse:
    now = timezone.now()
    found = get_object_or_404(
        selectors.reservations_changeable_by(user, now=now), public_id=public_id
    )
    if request.method != "POST":
        card = bookings.booking_card(found, may_change=True, now=now)
        if not ending.is_possible(card.badge.state):
            return HttpResponseClientRefresh() if request.htmx else redirect(_page_of(found))
        context = {
            "card": card,
            "ending": ending,
            "consequences": ending.consequences(found.state),
        }
        part = "portal/_confirm.html" if request.htmx else "portal/confirm.html"
        return render(request, part, context)
    try:
        service(reservation=found, actor=user, now=now)
    except DomainError as refused:
        messages.error(
            request,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
    else:
        messages.success(request, ending.done)
    return redirect(_page_of(found))


def _page_of(found: "Reservation") -> str:
    return reverse("portal:reservation", args=[found.public_id])


def _visible(user: User, public_id: UUID, now: datetime) -> "Reservation":
    return get_object_or_404(
        selectors.with_flags(
            selectors.reservations_visible_to(user, now=now).select_related(
                "workspace", "pool__cluster"
            )
        ),
        public_id=public_id,
    )


def _live_context(found: "Reservation", user: User, now: datetime) -> dict[str, object]:
    session = bookings.session_of(found)
    url = sessions.workspace_url(session) if session else ""
    card = bookings.booking_card(
        found,
        workspace_url=url,
        may_change=selectors.may_change(found, person=user, now=now),
        now=now,
    )
    story: Story = story_of(
        found,
        session=session,
        events=session.events.all() if session else [],
        devices=_devices_of(found),
        workspace_url=url,
        now=now,
    )
    decision, place = _decision(found, user, card, now), selectors.queue_position(found)
    offers = (
        [offer_card(each) for each in services.offers_for(reservation=found, now=now)]
        if card.trouble and card.may_cancel
        else []
    )
    quota = _quota_meters(found, session)
    return {
        "card": card,
        "story": story,
        "quota": quota,
        "offers": offers,
        "decision": decision,
        "place": place,
        "fingerprint": bookings.fingerprint([card, story, offers, decision, place, quota]),
    }


def _activity_of(found: "Reservation", now: datetime) -> dict[str, object]:
    session = bookings.session_of(found)
    return {
        "activity": activity_card(tokenomics.activity_of(found, now=now)),
        "is_running": bookings.can_open(found, session),
    }


def _since_ready(found: "Reservation") -> dict[str, object]:
    """Return what is shown of a session that was ready once; nothing before."""
    session = bookings.session_of(found)
    if session is None or session.ready_at is None:
        return {}
    serving = examples_for(found) if bookings.can_open(found, session) else ()
    return {"has_activity": True, "serving": serving}


def _devices_of(found: "Reservation") -> DevicesCard | None:
    if found.node is None:
        return None
    holds = found.holds.select_related("device").order_by("device__ordinal")
    promised = inventory.promise_on(found.node, found.resource_name)
    return devices_card(holds, promised=promised, node=found.node.name)


def _quota_meters(found: "Reservation", session: "WorkspaceSession | None") -> tuple[Meter, ...]:
    """Return what is left while somebody can use it."""
    kept = sessions.quota_of(session) if session and session.state == sessions.READY else None
    if kept is None:
        return ()
    return quota_meters(hard=kept["hard"], used=kept["used"], resource_name=found.resource_name)


def _sharing(found: "Reservation", user: User, now: datetime) -> SharingCard | None:
    if found.state in {state.value for state in TERMINAL}:
        return None
    may_share = found.requested_by_id == user.pk
    mates = sessions.team_mates(found, now=now) if may_share else ()
    return sharing_card(sessions.guests_of(found), mates=mates, reader=user, may_share=may_share)


def _decision(found: "Reservation", user: User, card: bookings.BookingCard, now: datetime) -> str:
    """Return what the person can decide about what is held: "take", "approve" or nothing."""
    if found.pending_on == PendingOn.REQUESTER and card.may_cancel:
        return "take"
    if found.pending_on == PendingOn.APPROVER:
        mine = selectors.approvals_for(user, now=now)
        return "approve" if mine.filter(pk=found.pk).exists() else ""
    return ""
