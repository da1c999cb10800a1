"""``/api/v1/usage/``: GPU-hours and what they cost, by team, person and day."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api import fields, inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import listed
from gpuaas.api.shapes import Shape
from gpuaas.api.views import APIView
from reservations import policy, usage
from reservations.capacity import Window


class UsageQuery(inputs.CursorQuery):
    """``by``, again and again, is what the rows are of; without a time it is this month, UTC."""

    by = serializers.ListField(
        child=serializers.ChoiceField(choices=usage.KEYS), required=False, max_length=3
    )
    since = fields.InstantField(required=False)
    until = fields.InstantField(required=False)
    team = serializers.CharField(required=False, max_length=40)
    person = serializers.CharField(required=False, max_length=150)
    pool = serializers.CharField(required=False, max_length=40)


class UsageOutput(Shape):
    """What a group's bookings take of the period.  What it is not grouped by is null.

    ``booked`` is ``used``, ``given_back`` and what is still to come; a GPU-hour is one hour of a
    whole physical GPU.  ``reclaimed`` is the part of what was given back that nobody came for, or
    used any more.
    """

    team = serializers.CharField(allow_null=True)
    person = serializers.CharField(allow_null=True)
    day = serializers.DateField(allow_null=True)
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    bookings = serializers.IntegerField()
    no_shows = serializers.IntegerField()
    booked_gpu_hours = serializers.FloatField()
    used_gpu_hours = serializers.FloatField()
    given_back_gpu_hours = serializers.FloatField()
    reclaimed_gpu_hours = serializers.FloatField()
    cost_minor = serializers.IntegerField()
    used_cost_minor = serializers.IntegerField()
    currency = serializers.CharField()


class UsageList(APIView):
    """What was booked, used and given back, and what it costs.

    Finance and platform administrators see everybody's, managers that of their teams, others
    their own.
    """

    @listed("See GPU-hours and cost", UsageOutput, asks=UsageQuery)
    def get(self, request: Request) -> Response:
        query = UsageQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked, now = query.validated_data, timezone.now()
        this_month = policy.month_of(now)
        within = Window(
            asked.get("since", this_month.starts_at), asked.get("until", this_month.ends_at)
        )
        if not within.starts_at < within.ends_at <= within.starts_at + usage.LONGEST:
            message = f"Ask for a time after since, and for at most {usage.LONGEST.days} days."
            raise serializers.ValidationError({"until": [message]}, code="window")
        narrowed = {lookup: asked[name] for name, lookup in _LOOKUPS.items() if name in asked}
        found = usage.grouped(
            usage.bookings_accounted_to(caller(request), now=now).filter(**narrowed),
            by=asked.get("by") or ("team",),
            within=within,
            now=now,
        )
        return pages.page_after(found, request, key=_key, show=lambda row: _show(row, within))


_LOOKUPS = {"team": "team__slug", "person": "requested_by__username", "pool": "pool__slug"}


def _key(row: usage.Usage) -> pages.Key:
    return (*row.group.values(), row.currency)


def _show(row: usage.Usage, within: Window) -> dict[str, Any]:
    return {
        **{key: row.group.get(key) for key in usage.KEYS},
        "since": within.starts_at,
        "until": within.ends_at,
        "bookings": row.bookings,
        "no_shows": row.no_shows,
        "booked_gpu_hours": round(float(row.booked_gpu_hours), 2),
        "used_gpu_hours": round(float(row.used_gpu_hours), 2),
        "given_back_gpu_hours": round(float(row.given_back_gpu_hours), 2),
        "reclaimed_gpu_hours": round(float(row.reclaimed_gpu_hours), 2),
        "cost_minor": row.cost_minor,
        "used_cost_minor": row.used_cost_minor,
        "currency": row.currency,
    }
