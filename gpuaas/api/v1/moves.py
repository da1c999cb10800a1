"""Changing what is booked: a shorter window, or another window, type or pool."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts.models import TokenScope
from gpuaas.api import fields, inputs, reach
from gpuaas.api.callers import caller
from gpuaas.api.described import moved
from gpuaas.api.v1.reservations import MOST, ReservationOutput, named, shown
from gpuaas.api.views import APIView
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.capacity import Window

if TYPE_CHECKING:
    from reservations.models import Reservation


class ShorterInput(inputs.StrictInput):
    """The new end, before the present one."""

    ends_at = fields.InstantField()


class MoveInput(inputs.StrictInput):
    """What is to become another; what is left out stays as it is.

    CPU, memory and storage of another type or number of units are a fair share of the node,
    unless they are given.
    """

    pool = serializers.CharField(max_length=40, required=False)
    resource_name = serializers.CharField(max_length=80, required=False)
    units = serializers.IntegerField(min_value=1, max_value=32_767, required=False)
    starts_at = fields.InstantField(required=False)
    ends_at = fields.InstantField(required=False)
    mode = serializers.ChoiceField(choices=[mode.value for mode in AllocationMode], required=False)
    cpu_millicores = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    memory_mib = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    storage_gib = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    purpose = serializers.CharField(max_length=120, allow_blank=True, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            message = f"Say what is to change: {', '.join(self.fields)}."
            raise serializers.ValidationError({"starts_at": [message]}, code="nothing_to_change")
        return attrs


class ReservationShorten(APIView):
    """Let a booking end earlier; what it gives back is free at once."""

    takes_scope = TokenScope.BOOK

    @moved("Shorten a booking", ReservationOutput, takes=ShorterInput, refuses=(403, 409, 422))
    def post(self, request: Request, public_id: UUID) -> Response:
        now = timezone.now()
        reservation = reach.changeable(request, public_id, now=now)
        data = ShorterInput(data=request.data)
        data.is_valid(raise_exception=True)
        services.shorten(
            reservation=reservation,
            ends_at=data.validated_data["ends_at"],
            actor=caller(request),
            now=now,
        )
        return shown(reservation)


class ReservationMove(APIView):
    """Move a booking that has not started: to another window, type or pool, or not at all.

    Without a new end, a new start keeps the length.
    """

    takes_scope = TokenScope.BOOK
    commits_itself = True

    @moved("Move a booking", ReservationOutput, takes=MoveInput, refuses=(403, 409, 422, 503))
    def post(self, request: Request, public_id: UUID) -> Response:
        now = timezone.now()
        reservation = reach.changeable(request, public_id, now=now)
        data = MoveInput(data=request.data)
        data.is_valid(raise_exception=True)
        given = data.validated_data
        pool = named("pool", given["pool"], inventory.pool_called) if "pool" in given else None
        services.move(
            reservation=reservation,
            pool=pool or reservation.pool,
            wish=_wish(reservation, pool or reservation.pool, given),
            actor=caller(request),
            now=now,
        )
        return shown(reservation)


def _wish(reservation: "Reservation", pool: Pool, given: dict[str, Any]) -> services.Wish:
    was = services.wish_of(reservation)
    resource_name = given.get("resource_name", was.resource_name)
    units = given.get("units", was.units)
    share = was.demand
    if (pool, resource_name, units) != (reservation.pool, was.resource_name, was.units):
        share = services.usual_demand(pool=pool, resource_name=resource_name, units=units)
    return replace(
        was,
        resource_name=resource_name,
        units=units,
        window=_window(was.window, given.get("starts_at"), given.get("ends_at")),
        mode=AllocationMode(given.get("mode", was.mode)),
        cpu_millicores=given.get("cpu_millicores", share.cpu_millicores),
        memory_mib=given.get("memory_mib", share.memory_mib),
        storage_gib=given.get("storage_gib", share.storage_gib),
        purpose=given.get("purpose", was.purpose),
    )


def _window(was: Window, starts_at: datetime | None, ends_at: datetime | None) -> Window:
    begins = starts_at or was.starts_at
    return Window(begins, ends_at or begins + was.length)
