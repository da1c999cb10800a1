"""``/api/v1/reservations/<id>/guests/``: whom the owner lets into the workspace besides."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api import inputs, pages, reach
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.shapes.people import GuestOutput
from gpuaas.api.views import APIView
from sessions import selectors, services

if TYPE_CHECKING:
    from sessions.models import Guest


class GuestInput(inputs.StrictInput):
    """A team mate, by user name or e-mail address."""

    person = serializers.CharField(max_length=254)


class GuestList(APIView):
    """The guests of a workspace, in the order in which they were let in."""

    @listed("List the guests of a workspace", GuestOutput)
    def get(self, request: Request, public_id: UUID) -> Response:
        found = reach.visible(caller(request), public_id, now=timezone.now())
        guests = selectors.guests_of(found)
        return pages.page_of(guests, request, by=("invited_at", "id"), show=_show)

    @described(
        "Share a workspace",
        takes=GuestInput,
        answers=GuestOutput,
        status=201,
        refuses=(403, 409, 422),
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Let a team mate in: they can do all in it that its owner can."""
        person, now = caller(request), timezone.now()
        reservation = reach.visible(person, public_id, now=now)
        data = GuestInput(data=request.data)
        data.is_valid(raise_exception=True)
        guest = services.share(
            reservation=reservation, name=data.validated_data["person"], actor=person, now=now
        )
        return Response(_guest(guest), status=HTTPStatus.CREATED)


class GuestDetail(APIView):
    """One guest of a workspace."""

    @described("Share a workspace no more", status=204, refuses=(403,))
    def delete(self, request: Request, public_id: UUID, username: str) -> Response:
        """Let them in no more.  A guest may also leave by themselves."""
        person, now = caller(request), timezone.now()
        reservation = reach.visible(person, public_id, now=now)
        guest = get_object_or_404(selectors.guests_of(reservation), person__username=username)
        services.unshare(reservation=reservation, person=guest.person, actor=person, now=now)
        return Response(status=HTTPStatus.NO_CONTENT)


def _show(rows: "Iterable[Guest]") -> list[dict[str, Any]]:
    return [_guest(each) for each in rows]


def _guest(guest: "Guest") -> dict[str, Any]:
    return {
        "person": guest.person.username,
        "name": guest.person.get_full_name(),
        "invited_at": guest.invited_at,
    }
