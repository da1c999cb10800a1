"""``/api/v1/pools/<slug>/availability/`` and ``.../calendar/``: a pool over time."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api.callers import caller
from gpuaas.api.described import described
from gpuaas.api.fields import InstantField
from gpuaas.api.inputs import StrictInput
from gpuaas.api.shapes.booking import CalendarOutput, HoursOutput, promised_device
from gpuaas.api.views import APIView
from gpuaas.inventory import selectors as inventory
from reservations import calendar
from reservations.capacity import Window

HOURS_AT_MOST: Final = 14 * 24
LONGEST: Final = timedelta(days=31)


class AvailabilityQuery(StrictInput):
    resource_name = serializers.CharField(max_length=80)
    starts_at = InstantField(required=False)
    hours = serializers.IntegerField(min_value=1, max_value=HOURS_AT_MOST, default=HOURS_AT_MOST)


class CalendarQuery(StrictInput):
    starts_at = InstantField()
    ends_at = InstantField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        length = attrs["ends_at"] - attrs["starts_at"]
        if not timedelta(0) < length <= LONGEST:
            message = f"Ask for more than nothing and at most {LONGEST.days} days."
            raise serializers.ValidationError({"ends_at": [message]}, code="window")
        return attrs


class Availability(APIView):
    """How many devices of one type are free in each hour, from an hour's beginning on."""

    @described("See what is free hour by hour", asks=AvailabilityQuery, answers=HoursOutput)
    def get(self, request: Request, slug: str) -> Response:
        query = AvailabilityQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        pool = get_object_or_404(inventory.pools(), slug=slug)
        since = asked.get("starts_at", timezone.now()).replace(minute=0, second=0, microsecond=0)
        free = calendar.free_by_hour(
            pool, resource_name=asked["resource_name"], since=since, hours=asked["hours"]
        )
        if free is None:
            message = f"There is no {asked['resource_name']!r} in {pool}."
            raise serializers.ValidationError({"resource_name": [message]}, code="unknown")
        return Response({"starts_at": _text(since), "hours": len(free), "free": free})


class Calendar(APIView):
    """Every device with what is booked on it; the bookings of others only as taken time."""

    @described("See every device with its bookings", asks=CalendarQuery, answers=CalendarOutput)
    def get(self, request: Request, slug: str) -> Response:
        query = CalendarQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        pool = get_object_or_404(inventory.pools(), slug=slug)
        found = calendar.rows(
            pool,
            within=Window(asked["starts_at"], asked["ends_at"]),
            seen_by=caller(request),
            now=timezone.now(),
        )
        text = _Texts()
        return Response({"devices": [_show(row, text) for row in found]})


class _Texts(dict[datetime, str]):
    """Instants as they are written: most bookings begin and end on the same few."""

    def __missing__(self, at: datetime) -> str:
        return self.setdefault(at, _text(at))


def _show(row: calendar.Row, text: _Texts) -> dict[str, Any]:
    return {
        **promised_device(row.device, row.promise),
        "bookings": [_entry(entry, text) for entry in row.entries],
    }


def _entry(entry: calendar.Entry, text: _Texts) -> dict[str, Any]:
    shown = {
        "starts_at": text[entry.starts_at],
        "ends_at": text[entry.ends_at],
        "whose": entry.whose,
    }
    if entry.public_id is not None:
        shown |= {
            "reservation": str(entry.public_id),
            "team": entry.team,
            "requested_by": entry.by,
            "purpose": entry.purpose,
        }
    return shown


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
