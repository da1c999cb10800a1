"""``/reservations/<id>/change/``: another end, or another window, type or pool."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.sentences import in_language
from gpuaas.inventory import selectors as inventory
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import bookings, changing
from gpuaas.portal.cards.types import TypeCard
from gpuaas.portal.forms.changing import EndForm, MoveForm, add_problems
from gpuaas.portal.views.home import pool_cards
from reservations import selectors, services
from reservations.answers import Bound, Extension

if TYPE_CHECKING:
    from reservations.models import Reservation


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def change(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Show what can be changed; move what has not started to what was typed."""
    now = timezone.now()
    found = _changeable(user, public_id, now)
    if request.method != "POST":
        if not bookings.booking_card(found, may_change=True, now=now).may_change:
            return redirect("portal:reservation", public_id)
        return _page(request, found, now)
    form = MoveForm(request.POST, types=_types(now))
    if not form.is_valid():
        return _page(request, found, now, move=form)
    pool, wish = form.wish(found, {each.slug: each for each in inventory.pools()})
    return _done(
        request,
        form,
        lambda: services.move(reservation=found, pool=pool, wish=wish, actor=user, now=now),
        show=lambda: _page(request, found, now, move=form),
        public_id=public_id,
    )


@require_POST
@for_people
def change_end(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Let a booking end at another time: later, earlier, or as late as possible."""
    now = timezone.now()
    found = _changeable(user, public_id, now)
    form = EndForm(request.POST)
    if not form.is_valid():
        return _page(request, found, now, end=form)
    ends_at = form.cleaned_data["ends_at"]

    def act() -> object:
        if ends_at is not None and ends_at < found.ends_at:
            return services.shorten(reservation=found, ends_at=ends_at, actor=user, now=now)
        return services.extend(reservation=found, ends_at=ends_at, actor=user, now=now)

    return _done(
        request,
        form,
        act,
        show=lambda: _page(request, found, now, end=form),
        public_id=public_id,
    )


def _done(
    request: PortalRequest,
    form: forms.Form,
    act: Callable[[], object],
    *,
    show: Callable[[], HttpResponse],
    public_id: UUID,
) -> HttpResponse:
    """Do it and go back to the booking; or show the form again, with every reason against."""
    try:
        act()
    except services.WishRefused as refused:
        add_problems(form, refused.problems)
    except DomainError as refused:
        form.add_error(
            None,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
    else:
        messages.success(request, gettext("Changed."))
        return redirect("portal:reservation", public_id)
    return show()


def _page(
    request: PortalRequest,
    found: "Reservation",
    now: datetime,
    *,
    end: EndForm | None = None,
    move: MoveForm | None = None,
) -> HttpResponse:
    typed = end or move
    context = {
        "card": bookings.booking_card(found, may_change=True, now=now),
        "change": changing.change_card(found, _longest(found, now), now=now),
        "end": end or EndForm(initial={"ends_at": found.ends_at}),
        "move": move or MoveForm(initial=_initial(found), types=_types(now)),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if typed and typed.errors else HTTPStatus.OK
    return render(request, "portal/change.html", context, status=status)


def _longest(found: "Reservation", now: datetime) -> Extension:
    try:
        return services.longest_extension(reservation=found, now=now)
    except services.CannotExtend as refused:
        return Extension(refused.until, refused.because)
    except services.StaleReservation:
        return Extension(found.ends_at, Bound.BOOKED)


def _types(now: datetime) -> list[TypeCard]:
    return [card for pool in pool_cards(now) for card in pool.types]


def _initial(found: "Reservation") -> dict[str, object]:
    return {
        "type": f"{found.pool.slug}/{found.resource_name}",
        "units": found.units,
        "starts_at": found.starts_at,
        "ends_at": found.ends_at,
    }


def _changeable(user: User, public_id: UUID, now: datetime) -> "Reservation":
    return get_object_or_404(
        selectors.reservations_changeable_by(user, now=now), public_id=public_id
    )
