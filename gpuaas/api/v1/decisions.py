"""What is held and not booked: approving or rejecting it, taking it or passing it on."""

from uuid import UUID

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts.models import TokenScope
from gpuaas.api import inputs, preconditions, reach
from gpuaas.api.callers import caller
from gpuaas.api.described import described, moved
from gpuaas.api.shapes.booking import AddressOutput
from gpuaas.api.v1.reservations import ReservationOutput, shown
from gpuaas.api.views import APIView
from reservations import services
from sessions import selectors as selectors_of_sessions
from sessions import services as sessions


class Approval(inputs.StrictInput):
    """Why it is approved, for the history."""

    reason = serializers.CharField(max_length=200, default="", allow_blank=True)


class Rejection(inputs.StrictInput):
    """Why it is not: whoever asked is told."""

    reason = serializers.CharField(max_length=200)


class ReservationApprove(APIView):
    """Book what waits for the caller's approval."""

    @moved("Approve a booking", ReservationOutput, takes=Approval)
    def post(self, request: Request, public_id: UUID) -> Response:
        person, now = caller(request), timezone.now()
        reservation = reach.visible(person, public_id, now=now)
        preconditions.check(request, reservation)
        data = Approval(data=request.data)
        data.is_valid(raise_exception=True)
        services.approve(
            reservation=reservation, actor=person, reason=data.validated_data["reason"], now=now
        )
        return shown(reservation)


class ReservationReject(APIView):
    """Turn down what waits for the caller's approval, with a reason."""

    @moved("Reject a booking", ReservationOutput, takes=Rejection)
    def post(self, request: Request, public_id: UUID) -> Response:
        person, now = caller(request), timezone.now()
        reservation = reach.visible(person, public_id, now=now)
        preconditions.check(request, reservation)
        data = Rejection(data=request.data)
        data.is_valid(raise_exception=True)
        services.reject(
            reservation=reservation, actor=person, reason=data.validated_data["reason"], now=now
        )
        return shown(reservation)


class ReservationConfirm(APIView):
    """Take what is held because its turn in line has come."""

    takes_scope = TokenScope.BOOK

    @moved("Take what is held", ReservationOutput)
    def post(self, request: Request, public_id: UUID) -> Response:
        person, now = caller(request), timezone.now()
        reservation = reach.changeable(request, public_id, now=now)
        services.confirm(reservation=reservation, actor=person, now=now)
        return shown(reservation)


class ReservationOpen(APIView):
    """Note that the workspace is used, and say where it is."""

    takes_scope = TokenScope.BOOK

    @described("Open the workspace", answers=AddressOutput, refuses=(409,))
    def post(self, request: Request, public_id: UUID) -> Response:
        person, now = caller(request), timezone.now()
        reservation = reach.visible(person, public_id, now=now)
        session = (
            selectors_of_sessions.sessions_visible_to(person, now=now)
            .filter(reservation=reservation)
            .first()
        )
        if session is None:
            raise sessions.StaleSession("the workspace is not there yet")
        sessions.record_visit(session=session, actor=person, now=now)
        return Response({"url": selectors_of_sessions.workspace_url(session)})


class ReservationResume(APIView):
    """Start a workspace again that was paused because nobody used it."""

    takes_scope = TokenScope.BOOK

    @moved("Resume a paused workspace", ReservationOutput)
    def post(self, request: Request, public_id: UUID) -> Response:
        now = timezone.now()
        reservation = reach.changeable(request, public_id, now=now)
        session = selectors_of_sessions.session_of(reservation)
        if session is None:
            raise sessions.StaleSession("the workspace is not there yet")
        sessions.resume(session=session, actor=caller(request), now=now)
        return shown(reservation)


class ReservationPass(APIView):
    """Leave what is held to the next in line."""

    takes_scope = TokenScope.BOOK

    @moved("Pass on what is held", ReservationOutput)
    def post(self, request: Request, public_id: UUID) -> Response:
        person, now = caller(request), timezone.now()
        reservation = reach.changeable(request, public_id, now=now)
        services.pass_on(reservation=reservation, actor=person, now=now)
        return shown(reservation)
