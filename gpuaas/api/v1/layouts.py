"""``/api/v1/inventory/layouts/``: GPUs that are cut otherwise for a while."""

from http import HTTPStatus
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api import fields, inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.views import APIView
from gpuaas.inventory import layouts, selectors
from gpuaas.inventory import services as inventory
from gpuaas.inventory.models import PlannedLayout
from reservations import services

MOST_DEVICES = 64


class LayoutOutput(serializers.Serializer[PlannedLayout]):
    """A planned layout.  Its devices can be booked from ``bookable_from`` until ``ends_at``."""

    id = serializers.IntegerField(source="pk")
    node = serializers.CharField(source="node.name")
    pool = serializers.CharField(source="node.pool.slug", default=None, allow_null=True)
    gpu_index = serializers.IntegerField()
    cut = serializers.DictField(child=serializers.IntegerField())
    starts_at = serializers.DateTimeField()
    bookable_from = serializers.SerializerMethodField()
    ends_at = serializers.DateTimeField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(choices=[each.value for each in layouts.State])
    state_reason = serializers.CharField()
    state_changed_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()

    def get_bookable_from(self, layout: PlannedLayout) -> str:
        """Return when the planned devices can be booked first."""
        starts_at = layouts.Times(layout.starts_at, layout.ends_at).planned_exist.starts_at
        return starts_at.isoformat().replace("+00:00", "Z")


class LayoutInput(inputs.StrictInput):
    """GPU ``gpu_index`` of a node (its id), cut into so many devices of each resource name."""

    node = serializers.IntegerField(min_value=1)
    gpu_index = serializers.IntegerField(min_value=0, max_value=255)
    cut = serializers.DictField(
        child=serializers.IntegerField(min_value=1, max_value=MOST_DEVICES), allow_empty=False
    )
    starts_at = fields.InstantField()
    ends_at = fields.InstantField()
    reason = serializers.CharField(max_length=200)


class LayoutList(APIView):
    """Layouts that stand or will, the earliest first; and planning one."""

    @listed("List planned layouts", LayoutOutput)
    def get(self, request: Request) -> Response:
        found = selectors.coming_layouts(now=timezone.now())
        return pages.page_of(found, request, by=("starts_at", "id"), show=_show)

    @described("Plan a layout", takes=LayoutInput, answers=LayoutOutput, status=201, refuses=(422,))
    def post(self, request: Request) -> Response:
        inventory.check_may_change(actor=caller(request))
        data = LayoutInput(data=request.data)
        data.is_valid(raise_exception=True)
        given = data.validated_data
        node = selectors.nodes().filter(pk=given["node"]).first()
        if node is None:
            raise serializers.ValidationError({"node": ["There is no such node."]}, code="unknown")
        layout = services.plan_layout(
            node=node,
            gpu_index=given["gpu_index"],
            cut=given["cut"],
            times=layouts.Times(given["starts_at"], given["ends_at"]),
            reason=given["reason"],
            actor=caller(request),
            now=timezone.now(),
        )
        return Response(LayoutOutput(layout).data, status=HTTPStatus.CREATED)


class LayoutCancel(APIView):
    """Take a layout back that has not begun."""

    @described("Take a layout back", answers=LayoutOutput, refuses=(409, 422))
    def post(self, request: Request, number: int) -> Response:
        inventory.check_may_change(actor=caller(request))
        layout = get_object_or_404(selectors.planned_layouts(), pk=number)
        services.cancel_layout(layout=layout, actor=caller(request), now=timezone.now())
        return Response(LayoutOutput(layout).data)


def _show(rows: Any) -> list[dict[str, Any]]:
    return [dict(LayoutOutput(row).data) for row in rows]
