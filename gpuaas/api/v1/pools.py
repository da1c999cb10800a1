"""``/api/v1/pools/``: what can be booked, and what of it is free."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api import inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.views import APIView
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory import services
from gpuaas.inventory.models import Pool
from gpuaas.inventory.promise import Guarantee
from reservations import availability
from reservations.availability import Availability


class TypeOutput(serializers.Serializer[Availability]):
    """One bookable type of a pool: ``free_until`` and ``more_free_at`` look 14 days ahead.

    ``guarantee`` says who else is on a booked device: nobody and one container at a time
    (exclusive), containers of the own session (time_shared), or those of other teams (shared).
    ``slots_per_unit`` is how many containers one unit carries, null where that is not limited.
    """

    resource_name = serializers.CharField(source="type.resource_name")
    product = serializers.CharField(source="type.product")
    memory_mib = serializers.IntegerField(source="type.memory_mib")
    compute_share = serializers.DecimalField(
        source="type.compute_share", max_digits=5, decimal_places=4
    )
    guarantee = serializers.ChoiceField(
        choices=[each.value for each in Guarantee], source="type.promise.guarantee"
    )
    slots_per_unit = serializers.IntegerField(source="type.promise.slots", allow_null=True)
    devices = serializers.IntegerField(source="type.devices")
    devices_per_node = serializers.IntegerField(source="type.devices_per_node")
    free_now = serializers.IntegerField()
    largest_free_now = serializers.IntegerField()
    free_until = serializers.DateTimeField(allow_null=True)
    more_free_at = serializers.DateTimeField(allow_null=True)


class PoolOutput(serializers.Serializer[Pool]):
    slug = serializers.SlugField()
    name = serializers.CharField()
    description = serializers.CharField()
    cluster = serializers.CharField(source="cluster.name")
    is_shared = serializers.BooleanField()
    shared_because = serializers.CharField()


class SharingInput(inputs.StrictInput):
    """Whether several teams at once may get replicas of the pool's devices, and why."""

    is_shared = serializers.BooleanField()
    reason = serializers.CharField(max_length=200, default="", allow_blank=True)


class PoolWithTypesOutput(PoolOutput):
    """A pool, and what of each type is free."""

    types = TypeOutput(many=True)


def _show(rows: Iterable[Pool], *, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            **PoolOutput(found.pool).data,
            "types": [TypeOutput(each).data for each in found.types],
        }
        for found in availability.of_all(list(rows), now=now)
    ]


class PoolList(APIView):
    """Every pool, with what is free now and when that changes."""

    @listed("List pools", PoolWithTypesOutput)
    def get(self, request: Request) -> Response:
        now = timezone.now()
        show = partial(_show, now=now)
        return pages.page_of(inventory.pools(), request, by=("name", "id"), show=show)


class PoolDetail(APIView):
    """One pool."""

    @described("Look at a pool", answers=PoolWithTypesOutput)
    def get(self, request: Request, slug: str) -> Response:  # noqa: ARG002 -- the same for everybody
        pool = get_object_or_404(inventory.pools(), slug=slug)
        return Response(_show([pool], now=timezone.now())[0])

    @described(
        "Share a pool's devices between teams, or no longer",
        takes=SharingInput,
        answers=PoolOutput,
        refuses=(409, 422),
    )
    def patch(self, request: Request, slug: str) -> Response:
        services.check_may_change(actor=caller(request))
        given = SharingInput(data=request.data)
        given.is_valid(raise_exception=True)
        pool = get_object_or_404(inventory.pools(), slug=slug)
        services.share_devices(
            pool=pool, **given.validated_data, actor=caller(request), now=timezone.now()
        )
        return Response(PoolOutput(pool).data)
