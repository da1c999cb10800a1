"""The booking that a request names, as far as the caller may look at it, or change it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework.request import Request

from gpuaas.accounts.models import User
from gpuaas.api import preconditions
from gpuaas.api.callers import caller
from reservations import selectors, services


def visible(person: User, public_id: UUID, *, now: datetime) -> Any:
    """Return a booking that ``person`` may see; anything else is not there (404)."""
    return get_object_or_404(
        selectors.reservations_visible_to(person, now=now), public_id=public_id
    )


def changeable(request: Request, public_id: UUID, *, now: datetime) -> Any:
    """Return a booking that the caller may change, in the version that If-Match names.

    Raises:
        NotYourTeam: the caller may only look at it.
        ChangedMeanwhile: it is another version by now.
    """
    person = caller(request)
    reservation = visible(person, public_id, now=now)
    mine = selectors.reservations_changeable_by(person, now=now)
    if not mine.filter(public_id=public_id).exists():
        raise services.NotYourTeam(f"you may look at the bookings of {reservation.team}, not more")
    preconditions.check(request, reservation)
    return reservation
