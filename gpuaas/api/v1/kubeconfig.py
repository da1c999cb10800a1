"""``/api/v1/reservations/<id>/kubeconfig/``: into the namespace with one's own kubectl."""

from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

import yaml
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts.models import User
from gpuaas.api.callers import caller
from gpuaas.api.described import described
from gpuaas.api.shapes.booking import ClusterTokenOutput, KubeconfigOutput
from gpuaas.api.views import APIView
from reservations import selectors
from sessions import selectors as sessions
from sessions import services

if TYPE_CHECKING:
    from sessions.models import ClusterToken


class ReservationKubeconfig(APIView):
    """A kubeconfig for who booked it.  It holds no secret; ``login`` says how one logs in."""

    @described("Get a kubeconfig", answers=KubeconfigOutput, refuses=(403, 409))
    def get(self, request: Request, public_id: UUID) -> Response:
        person = caller(request)
        found = _visible(person, public_id, timezone.now())
        session = sessions.session_of(found)
        return _shown(*services.kubeconfig_for(reservation=found, session=session, person=person))


class KubeconfigToken(APIView):
    """A short-lived token of the cluster for who booked it, made within half a minute."""

    @described("Get where a token is", answers=ClusterTokenOutput, refuses=(403,))
    def get(self, request: Request, public_id: UUID) -> Response:
        """Say how far it is: ask for one, wait until it is READY, and take it."""
        person, now = caller(request), timezone.now()
        found = _visible(person, public_id, now)
        token = services.token_for(
            reservation=found, session=sessions.session_of(found), person=person
        )
        return Response(_token(token, now))

    @described("Ask for a token", answers=ClusterTokenOutput, status=202, refuses=(403, 409))
    def post(self, request: Request, public_id: UUID) -> Response:
        """Ask for one that works to the end of the window, 12 hours at most.

        While one is on its way, or waits to be taken, asking again changes nothing.
        """
        person, now = caller(request), timezone.now()
        found = _visible(person, public_id, now)
        token = services.ask_token(
            reservation=found, session=sessions.session_of(found), person=person, now=now
        )
        return Response(_token(token, now), status=HTTPStatus.ACCEPTED)


class KubeconfigTokenTaking(APIView):
    """The kubeconfig with the token in it, once."""

    answers_secret = True

    @described("Take a token", answers=KubeconfigOutput, refuses=(403, 409))
    def post(self, request: Request, public_id: UUID) -> Response:
        """Return a kubeconfig that needs no login.  It is shown this once and kept nowhere."""
        person, now = caller(request), timezone.now()
        found = _visible(person, public_id, now)
        session = sessions.session_of(found)
        return _shown(
            *services.take_token(reservation=found, session=session, person=person, now=now)
        )


def _visible(person: User, public_id: UUID, now: datetime) -> Any:
    visible = selectors.reservations_visible_to(person, now=now)
    return get_object_or_404(
        visible.select_related("pool__cluster", "requested_by", "team"), public_id=public_id
    )


def _shown(content: dict[str, Any], login: str) -> Response:
    text = yaml.safe_dump(content, sort_keys=False)
    return Response({"yaml": text, "namespace": content["current-context"], "login": login})


def _token(token: "ClusterToken | None", now: datetime) -> dict[str, Any]:
    return {
        "state": token.state_at(now).value if token else sessions.NO_TOKEN,
        "asked_at": token.asked_at if token else None,
        "expires_at": token.expires_at if token else None,
        "problem": token.problem if token else "",
    }
