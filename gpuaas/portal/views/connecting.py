"""``/reservations/<id>/connect/``: a kubeconfig with a short-lived token, for who booked it."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import yaml
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.connecting import ConnectCard, connect_card
from reservations import selectors as reservations
from sessions import selectors, services

if TYPE_CHECKING:
    from reservations.models import Reservation


def card_of(found: "Reservation", user: User, now: datetime) -> ConnectCard | None:
    """Return the card for its owner while the workspace is up; None: there is nothing to show."""
    session = selectors.session_of(found)
    if found.requested_by_id != user.pk or session is None or session.state != selectors.READY:
        return None
    return connect_card(
        namespace=session.namespace,
        api_url=found.pool.cluster.api_url,
        token=selectors.token_of(session),
        now=now,
    )


@require_safe
@for_people
def connect(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Show how far the token is; the card refreshes itself until there is nothing to wait for."""
    now = timezone.now()
    found = _visible(user, public_id, now)
    card = card_of(found, user, now)
    return render(request, "portal/_connect.html", {"connect": card, "public_id": public_id})


@require_POST
@for_people
def ask_token(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Ask for a token; the reconciler has the cluster make it."""
    now = timezone.now()
    found = _visible(user, public_id, now)
    try:
        services.ask_token(
            reservation=found, session=selectors.session_of(found), person=user, now=now
        )
    except services.NotYourWorkspace as refused:
        raise PermissionDenied(str(refused)) from refused
    except DomainError as refused:
        messages.error(request, _("There is no token: %(why)s.") % {"why": refused})
    return redirect("portal:reservation", public_id)


@require_POST
@never_cache
@for_people
def take_token(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Download the kubeconfig with the token in it, once."""
    now = timezone.now()
    found = _visible(user, public_id, now)
    try:
        content, warning = services.take_token(
            reservation=found, session=selectors.session_of(found), person=user, now=now
        )
    except services.NotYourWorkspace as refused:
        raise PermissionDenied(str(refused)) from refused
    except DomainError as refused:
        messages.error(request, _("There is no token: %(why)s.") % {"why": refused})
        return redirect("portal:reservation", public_id)
    text = f"# {warning}\n{yaml.safe_dump(content, sort_keys=False)}"
    name = f"{content['current-context']}.kubeconfig"
    return HttpResponse(
        text,
        content_type="application/yaml",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _visible(user: User, public_id: UUID, now: datetime) -> "Reservation":
    visible = reservations.reservations_visible_to(user, now=now)
    return get_object_or_404(
        visible.select_related("pool__cluster", "requested_by", "team"), public_id=public_id
    )
