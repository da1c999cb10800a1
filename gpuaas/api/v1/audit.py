"""``/api/v1/audit/``: what happened, for whoever answers for it, and the head of the chain."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors as accounts
from gpuaas.api import fields, inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.shapes.people import EventOutput, HeadOutput
from gpuaas.api.views import APIView
from gpuaas.audit import selectors
from gpuaas.audit.models import AuditEvent


class TrailFilter(inputs.CursorQuery):
    """Each narrows what the others leave."""

    action = serializers.CharField(required=False, max_length=60)
    subject = serializers.CharField(required=False, max_length=80)
    actor = serializers.CharField(required=False, max_length=150)
    team = serializers.CharField(required=False, max_length=50)
    since = fields.InstantField(required=False)
    until = fields.InstantField(required=False)


class Newest(pages.CursorPages):
    ordering = "-id"


def event_body(event: AuditEvent) -> dict[str, Any]:
    """Return one event as the API has it."""
    return {
        "id": event.pk,
        "at": event.at,
        "action": event.action,
        "subject": event.subject,
        "actor": event.actor and event.actor.username,
        "team": event.team and event.team.slug,
        "data": event.data,
    }


class Trail(APIView):
    """The audit trail, newest first: all of it, or that of the teams that one manages."""

    @listed("Read the audit trail", EventOutput, asks=TrailFilter)
    def get(self, request: Request) -> Response:
        wanted = TrailFilter(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        visible = accounts.trail_visible_to(caller(request), now=timezone.now())
        asked = inputs.without_page(wanted.validated_data)
        found = accounts.narrowed(visible, **asked).select_related("actor", "team")
        newest = Newest()
        rows = newest.paginate_queryset(found, request) or []
        return newest.get_paginated_response([event_body(each) for each in rows])


class ChainHead(APIView):
    """Where the chain over the trail is now, to be kept elsewhere; platform administrators only."""

    @described("Read the head of the chain", answers=HeadOutput, refuses=(403,))
    def get(self, request: Request) -> Response:
        if not caller(request).is_platform_admin:
            raise PermissionDenied
        head = selectors.head()
        return Response({"position": head.position, "digest": head.digest.hex()})
