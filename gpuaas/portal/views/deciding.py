"""Deciding on what is held: approving or rejecting it, taking it or passing it on."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.sentences import in_language
from gpuaas.portal.access import PortalRequest, for_people
from reservations import selectors, services

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from reservations.models import Reservation

REASON_AT_MOST: Final = 200


@require_POST
@for_people
def approve(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Book what waits for the person's approval."""
    now, found = timezone.now(), _of(selectors.approvals_for, user, public_id)
    reason = request.POST.get("reason", "")[:REASON_AT_MOST]
    act = partial(services.approve, reservation=found, actor=user, reason=reason, now=now)
    return _done(request, found, act, said=gettext("Approved."))


@require_POST
@for_people
def reject(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Turn down what waits for the person's approval."""
    now, found = timezone.now(), _of(selectors.approvals_for, user, public_id)
    reason = request.POST.get("reason", "")[:REASON_AT_MOST]
    act = partial(services.reject, reservation=found, actor=user, reason=reason, now=now)
    return _done(request, found, act, said=gettext("Rejected. Whoever asked is told why."))


@require_POST
@for_people
def take(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Take what is held because its turn in line has come."""
    now, found = timezone.now(), _of(selectors.reservations_changeable_by, user, public_id)
    act = partial(services.confirm, reservation=found, actor=user, now=now)
    return _done(request, found, act, said=gettext("It is yours."))


@require_POST
@for_people
def pass_on(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Leave what is held to the next in line."""
    now, found = timezone.now(), _of(selectors.reservations_changeable_by, user, public_id)
    act = partial(services.pass_on, reservation=found, actor=user, now=now)
    return _done(request, found, act, said=gettext("Passed on: the next in line gets it."))


def _of(
    reach: "Callable[..., QuerySet[Reservation]]", user: User, public_id: UUID
) -> "Reservation":
    return get_object_or_404(reach(user, now=timezone.now()), public_id=public_id)


def _done(
    request: PortalRequest, found: "Reservation", act: Callable[[], None], *, said: str
) -> HttpResponse:
    try:
        act()
    except services.WishRefused as refused:
        reasons = "; ".join(problem.message for problem in refused.problems)
        messages.error(
            request, gettext("Nothing was changed: {reasons}.").format(reasons=in_language(reasons))
        )
    except DomainError as refused:
        messages.error(
            request,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
    else:
        messages.success(request, said)
    return redirect("portal:reservation", found.public_id)
