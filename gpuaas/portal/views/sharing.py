"""``/reservations/<id>/guests/``: letting team mates into one's workspace, and out again."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.sentences import in_language
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.teams import name_of
from reservations import selectors as reservations
from sessions import selectors, services


@require_POST
@for_people
def share(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Let a team mate in."""
    now = timezone.now()
    found = get_object_or_404(
        reservations.reservations_visible_to(user, now=now), public_id=public_id
    )
    name = request.POST.get("person", "")
    try:
        guest = services.share(reservation=found, name=name, actor=user, now=now)
    except services.NotYourWorkspace as refused:
        raise PermissionDenied(str(refused)) from refused
    except DomainError as refused:
        messages.error(
            request,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
    else:
        messages.success(
            request, gettext("{name_of} is let in.").format(name_of=name_of(guest.person))
        )
    return redirect("portal:reservation", public_id)


@require_POST
@for_people
def unshare(request: PortalRequest, user: User, public_id: UUID, username: str) -> HttpResponse:
    """Let somebody in no more."""
    now = timezone.now()
    found = get_object_or_404(
        reservations.reservations_visible_to(user, now=now), public_id=public_id
    )
    guest = get_object_or_404(selectors.guests_of(found), person__username=username)
    try:
        services.unshare(reservation=found, person=guest.person, actor=user, now=now)
    except services.NotYourWorkspace as refused:
        raise PermissionDenied(str(refused)) from refused
    messages.success(
        request,
        gettext("{name_of} is let in no more, within a minute.").format(
            name_of=name_of(guest.person)
        ),
    )
    return redirect("portal:reservation", public_id)
