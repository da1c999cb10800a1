"""``/api/v1/reservations/<id>/kubeconfig/``: into the namespace with one's own kubectl."""

from uuid import UUID

import yaml
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api.callers import caller
from gpuaas.api.described import described
from gpuaas.api.shapes.booking import KubeconfigOutput
from gpuaas.api.views import APIView
from reservations import selectors
from sessions import selectors as sessions
from sessions import services


class ReservationKubeconfig(APIView):
    """A kubeconfig for who booked it.  It holds no secret; ``login`` says how one logs in."""

    @described("Get a kubeconfig", answers=KubeconfigOutput, refuses=(403, 409))
    def get(self, request: Request, public_id: UUID) -> Response:
        person, now = caller(request), timezone.now()
        visible = selectors.reservations_visible_to(person, now=now)
        reservation = get_object_or_404(
            visible.select_related("pool__cluster", "requested_by"), public_id=public_id
        )
        session = sessions.session_of(reservation)
        content, login = services.kubeconfig_for(
            reservation=reservation, session=session, person=person
        )
        text = yaml.safe_dump(content, sort_keys=False)
        return Response({"yaml": text, "namespace": content["current-context"], "login": login})
