"""``/api/v1/pools/``: what can be booked, and what of it is free."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api import pages
from gpuaas.api.described import described, listed
from gpuaas.api.views import APIView
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Pool
from reservations import selectors


class TypeOutput(serializers.Serializer[selectors.Availability]):
    """One bookable type of a pool: ``free_until`` and ``more_free_at`` look 14 days ahead."""

    resource_name = serializers.CharField(source="type.resource_name")
    product = serializers.CharField(source="type.product")
    memory_mib = serializers.IntegerField(source="type.memory_mib")
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


class PoolWithTypesOutput(PoolOutput):
    """A pool, and what of each type is free."""

    types = TypeOutput(many=True)


def _show(rows: Iterable[Pool], *, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            **PoolOutput(pool).data,
            "types": [TypeOutput(each).data for each in selectors.availability(pool, now=now)],
        }
        for pool in rows
    ]


class PoolList(APIView):
    """Every pool, with what is free now and when that changes."""

    @listed("List pools", PoolWithTypesOutput)
    def get(self, request: Request) -> Response:
        now = timezone.now()
        return pages.page_of(inventory.pools(), request, show=lambda rows: _show(rows, now=now))


class PoolDetail(APIView):
    """One pool."""

    @described("Look at a pool", answers=PoolWithTypesOutput)
    def get(self, request: Request, slug: str) -> Response:  # noqa: ARG002 -- the same for everybody
        pool = get_object_or_404(inventory.pools(), slug=slug)
        return Response(_show([pool], now=timezone.now())[0])
